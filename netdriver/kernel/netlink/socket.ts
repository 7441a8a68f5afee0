import { closeSync } from 'node:fs';
import { errnoName, syscall, syscallAsync } from '../syscalls.ts';
import { KernelError } from '../types.ts';
import {
  decodeAttributes,
  decodeMessages,
  decodeText,
  encodeMessage,
  type NetlinkReply,
  type NetlinkRequest,
  NLM_F_ACK,
  NLMSG_DONE,
  NLMSG_ERROR,
} from './message.ts';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const EXT_ACK_TEXT = 1;

/** The kernel answers while `send` runs; a second without an answer means that it never comes. */
const ANSWER_SECONDS = 1;
const RECEIVE_BYTES = 64 * 1024;

/** One rtnetlink socket of the namespace that the thread is in while it is made. */
export class NetlinkSocket {
  readonly #fd: number;
  readonly #received = Buffer.alloc(RECEIVE_BYTES);
  #seq = 0;

  constructor() {
    this.#fd = syscall('socket', AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    const on = Buffer.from([1, 0, 0, 0]);
    syscall('setsockopt', this.#fd, SOL_NETLINK, NETLINK_CAP_ACK, on, on.length);
    syscall('setsockopt', this.#fd, SOL_NETLINK, NETLINK_EXT_ACK, on, on.length);
    const timeout = Buffer.alloc(16);
    timeout.writeBigInt64LE(BigInt(ANSWER_SECONDS), 0);
    syscall('setsockopt', this.#fd, SOL_SOCKET, SO_RCVTIMEO, timeout, timeout.length);
  }

  /**
   * The kernel does the work while the message is sent, on another thread. Rejects with a
   * KernelError that says `what` was refused.
   */
  async request(request: NetlinkRequest, what: string): Promise<void> {
    const seq = ++this.#seq;
    const message = encodeMessage({ ...request, flags: request.flags | NLM_F_ACK }, seq);
    await syscallAsync('send', this.#fd, message, message.length, 0);
    for (const reply of this.#replies(seq)) {
      if (reply.type !== NLMSG_ERROR) continue;
      check(reply, what);
      return;
    }
  }

  /** The bodies of all replies to a dump request. */
  dump(request: NetlinkRequest, what: string): Buffer[] {
    const seq = ++this.#seq;
    const message = encodeMessage(request, seq);
    syscall('send', this.#fd, message, message.length, 0);
    const bodies: Buffer[] = [];
    for (const reply of this.#replies(seq)) {
      if (reply.type === NLMSG_DONE) break;
      if (reply.type === NLMSG_ERROR) check(reply, what);
      bodies.push(Buffer.from(reply.body));
    }
    return bodies;
  }

  close(): void {
    closeSync(this.#fd);
  }

  *#replies(seq: number): Generator<NetlinkReply> {
    for (;;) {
      const size = syscall('recv', this.#fd, this.#received, this.#received.length, 0);
      for (const reply of decodeMessages(this.#received.subarray(0, size))) {
        if (reply.seq === seq) yield reply;
      }
    }
  }
}

/** struct nlmsgerr: a negative errno, the request's header, and the kernel's own words if any. */
function check(reply: NetlinkReply, what: string): void {
  const errno = -reply.body.readInt32LE(0);
  if (errno === 0) return;
  const code = errnoName(errno);
  const words = decodeText(decodeAttributes(reply.body.subarray(20)).get(EXT_ACK_TEXT));
  throw new KernelError(code, `${what}: ${code}${words ? ` (${words})` : ''}`);
}
