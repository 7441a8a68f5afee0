import { closeSync } from 'node:fs';
import { ipBytes, u16be } from './netlink/message.ts';
import { syscall } from './syscalls.ts';
import { isKernelError, type L4Protocol, type PortReservation } from './types.ts';

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO = { tcp: 0, udp: 0, sctp: 132 } as const;

/** A socket of the namespace that the thread is in, bound to an IPv4 address. */
export function openSocket(init: { protocol: L4Protocol; address: string; port: number }): {
  fd: number;
  port: number;
} {
  const kind = init.protocol === 'udp' ? SOCK_DGRAM : SOCK_STREAM;
  const flags = kind | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = syscall('socket', AF_INET, flags, IPPROTO[init.protocol]);
  try {
    if (kind === SOCK_STREAM) {
      syscall('setsockopt', fd, SOL_SOCKET, SO_REUSEADDR, Buffer.from([1, 0, 0, 0]), 4);
    }
    const address = socketAddress(init.address, init.port);
    syscall('bind', fd, address, address.length);
    return { fd, port: boundPort(fd) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/**
 * Listens without ever accepting. The rules of the namespace lead packets for the port elsewhere
 * before they could reach the socket.
 */
export function reservePort(protocol: L4Protocol, address: string, port: number): PortReservation {
  try {
    const socket = openSocket({ protocol, address: address || '0.0.0.0', port });
    try {
      if (protocol !== 'udp') syscall('listen', socket.fd, 1);
    } catch (error) {
      closeSync(socket.fd);
      throw error;
    }
    return { port: socket.port, release: once(() => closeSync(socket.fd)) };
  } catch (error) {
    if (!isKernelError(error, 'EPROTONOSUPPORT', 'ESOCKTNOSUPPORT') || port === 0) throw error;
    return { port, release: () => {} };
  }
}

/** struct sockaddr_in */
function socketAddress(address: string, port: number): Buffer {
  const family = Buffer.from([AF_INET, 0]);
  return Buffer.concat([family, u16be(port), ipBytes(address), Buffer.alloc(8)]);
}

function boundPort(fd: number): number {
  const address = Buffer.alloc(16);
  syscall('getsockname', fd, address, [address.length]);
  return address.readUInt16BE(2);
}

function once(fn: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    fn();
  };
}
