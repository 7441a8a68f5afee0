import { createSocket } from 'node:dgram';
import { createServer, type Server, Socket } from 'node:net';
import packet from 'dns-packet';
import type { Kernel, Netns } from '../../../netdriver/kernel/types.ts';
import { firstMessage, withLength } from '../../../netdriver/resolver/forwarder.ts';

/** For what must answer; the machine may be busy. */
const TIMEOUT_MS = 10_000;
/** For what is asked again: a connection that meets a change of the rules may lead nowhere. */
export const IMPATIENCE_MS = 1_000;
/** Long enough for an answer on one machine, where silence is what a test expects. */
export const SILENCE_MS = 300;

/** A TCP server in a namespace that answers each connection with `name` and the client's address. */
export async function greet(
  kernel: Kernel,
  netns: Netns,
  port: number,
  name: string,
): Promise<Server> {
  const { fd } = kernel.openSocket(netns, { protocol: 'tcp', address: '0.0.0.0', port });
  const server = createServer((socket) => {
    // Its namespace may go before the client has said goodbye.
    socket.unref();
    socket.on('error', () => {});
    socket.end(`${name} ${socket.remoteAddress}`);
  });
  server.unref();
  await new Promise<void>((resolve) => server.listen({ fd }, resolve));
  return server;
}

/** Connects from a namespace and reads until the end. */
export function ask(
  kernel: Kernel,
  netns: Netns,
  address: string,
  port: number,
  timeoutMs = TIMEOUT_MS,
): Promise<string> {
  const { fd } = kernel.openSocket(netns, { protocol: 'tcp', address: '0.0.0.0', port: 0 });
  return new Promise((resolve, reject) => {
    const socket = new Socket({ fd, readable: true, writable: true });
    let text = '';
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`${address}:${port} did not answer`));
    }, timeoutMs);
    const done = (finish: () => void) => () => {
      clearTimeout(timer);
      finish();
    };
    socket.setEncoding('utf8');
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('error', (error) => done(() => reject(error))());
    socket.on(
      'close',
      done(() => resolve(text)),
    );
    socket.connect(port, address);
  });
}

/** A TCP server that counts what it gets, says how much after the client ended, and `size` more. */
export async function swallow(
  kernel: Kernel,
  netns: Netns,
  port: number,
  size: number,
): Promise<Server> {
  const { fd } = kernel.openSocket(netns, { protocol: 'tcp', address: '0.0.0.0', port });
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let received = 0;
    socket.unref();
    socket.on('data', (data) => {
      received += data.length;
    });
    socket.on('end', () => socket.end(Buffer.alloc(size, `${received} `)));
    socket.on('error', () => {});
  });
  server.unref();
  await new Promise<void>((resolve) => server.listen({ fd }, resolve));
  return server;
}

/** Sends `size` bytes and reads until the end. */
export function pour(
  kernel: Kernel,
  netns: Netns,
  address: string,
  port: number,
  size: number,
): Promise<string> {
  const { fd } = kernel.openSocket(netns, { protocol: 'tcp', address: '0.0.0.0', port: 0 });
  return new Promise((resolve, reject) => {
    const socket = new Socket({ fd, readable: true, writable: true });
    let text = '';
    socket.setTimeout(TIMEOUT_MS, () => {
      socket.destroy(new Error(`${address}:${port} got stuck`));
    });
    socket.setEncoding('utf8').on('data', (data) => {
      text += data;
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
    socket.connect(port, address, () => socket.end(Buffer.alloc(size)));
  });
}

/** A UDP server that answers each datagram with `name` and the client's address. */
export async function greetUdp(
  kernel: Kernel,
  netns: Netns,
  port: number,
  name: string,
): Promise<{ close(): void }> {
  const { fd } = kernel.openSocket(netns, { protocol: 'udp', address: '0.0.0.0', port });
  const socket = createSocket('udp4');
  socket.on('message', (_, from) =>
    socket.send(`${name} ${from.address}`, from.port, from.address),
  );
  await new Promise<void>((resolve) => socket.bind({ fd }, resolve));
  socket.unref();
  return socket;
}

export function askUdp(
  kernel: Kernel,
  netns: Netns,
  address: string,
  port: number,
  request: Buffer = Buffer.from('?'),
): Promise<Buffer> {
  const { fd } = kernel.openSocket(netns, { protocol: 'udp', address: '0.0.0.0', port: 0 });
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const finish = (error: Error | undefined, data?: Buffer) => {
      clearTimeout(timer);
      socket.close();
      if (data) resolve(data);
      else reject(error);
    };
    const timer = setTimeout(() => finish(new Error(`${address}:${port} is silent`)), TIMEOUT_MS);
    socket.on('message', (data) => finish(undefined, data));
    socket.on('error', (error) => finish(error));
    socket.bind({ fd }, () => socket.send(request, port, address));
  });
}

/** Asks the container's own resolver, as its programs do. */
export async function lookUp(
  kernel: Kernel,
  netns: Netns,
  name: string,
  type: 'A' | 'AAAA' | 'PTR' | 'SRV' = 'A',
): Promise<{ rcode: string; data: unknown[] }> {
  const request = packet.encode({
    type: 'query',
    id: 4711,
    flags: packet.RECURSION_DESIRED,
    questions: [{ name, type, class: 'IN' }],
  });
  const reply = packet.decode(await askUdp(kernel, netns, '127.0.0.11', 53, request));
  const { rcode } = reply as unknown as { rcode: string };
  const data = (reply.answers ?? []).map((answer) => ('data' in answer ? answer.data : ''));
  return { rcode, data };
}

/** The same over TCP. */
export async function lookUpTcp(kernel: Kernel, netns: Netns, name: string): Promise<unknown[]> {
  const { fd } = kernel.openSocket(netns, { protocol: 'tcp', address: '0.0.0.0', port: 0 });
  const questions = [{ name, type: 'A', class: 'IN' }] as const;
  const request = packet.encode({ type: 'query', id: 4711, questions: [...questions] });
  return new Promise((resolve, reject) => {
    const socket = new Socket({ fd, readable: true, writable: true });
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('the resolver is silent')));
    socket.on('error', reject);
    socket.on('data', (data) => {
      const message = firstMessage(data);
      if (!message) return;
      socket.destroy();
      const answers = packet.decode(message).answers ?? [];
      resolve(answers.map((answer) => ('data' in answer ? answer.data : '')));
    });
    socket.connect(53, '127.0.0.11', () => socket.write(withLength(request)));
  });
}

/** A name server that gives one answer to every question. */
export async function serveName(
  kernel: Kernel,
  netns: Netns,
  name: string,
  address: string,
): Promise<{ close(): void }> {
  const { fd } = kernel.openSocket(netns, { protocol: 'udp', address: '0.0.0.0', port: 53 });
  const socket = createSocket('udp4');
  socket.on('message', (data, from) => {
    const { id, questions } = packet.decode(data);
    const answers = [{ type: 'A', name, ttl: 1, data: address }] as const;
    const reply = packet.encode({ type: 'response', id, questions, answers: [...answers] });
    socket.send(reply, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind({ fd }, resolve));
  socket.unref();
  return socket;
}
