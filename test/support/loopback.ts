import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { onEnd } from './cleanup.ts';

/**
 * A loopback address of this process alone. A port that is free here stays free until this process
 * takes it, whatever other tests do at the same time; at 127.0.0.1 it may be taken by anybody, be it
 * only for the near end of a connection.
 */
export const LOOPBACK = `127.${64 + ((process.pid >> 16) & 63)}.${(process.pid >> 8) & 255}.${process.pid & 255}`;

/** A port of `LOOPBACK` that nobody uses. */
export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, LOOPBACK);
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/** The same as `host:port`. */
export async function freeAddr(): Promise<string> {
  return `${LOOPBACK}:${await freePort()}`;
}

/** `host:port` of a server that takes connections and says nothing on them, until the test ends. */
export async function deafServer(t: TestContext, onConnection = () => {}): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    onConnection();
  }).listen(0, LOOPBACK);
  await once(server, 'listening');
  onEnd(t, () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `${LOOPBACK}:${(server.address() as AddressInfo).port}`;
}
