/**
 * The wire form of rtnetlink(7): messages of a header, a fixed part and attributes, all in the
 * byte order of the machine. Node runs on little-endian machines only, so that is written out.
 */
const HEADER_SIZE = 16;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_DUMP = 0x300;

export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

export interface NetlinkRequest {
  readonly type: number;
  readonly flags: number;
  /** The fixed part and the attributes. */
  readonly body: Buffer;
}

export interface NetlinkReply {
  readonly type: number;
  readonly seq: number;
  readonly body: Buffer;
}

export function encodeMessage(request: NetlinkRequest, seq: number): Buffer {
  const header = Buffer.alloc(HEADER_SIZE);
  header.writeUInt32LE(HEADER_SIZE + request.body.length, 0);
  header.writeUInt16LE(request.type, 4);
  header.writeUInt16LE(NLM_F_REQUEST | request.flags, 6);
  header.writeUInt32LE(seq, 8);
  return Buffer.concat([header, request.body]);
}

export function* decodeMessages(data: Buffer): Generator<NetlinkReply> {
  for (let at = 0; at + HEADER_SIZE <= data.length; ) {
    const size = data.readUInt32LE(at);
    if (size < HEADER_SIZE) return;
    yield {
      type: data.readUInt16LE(at + 4),
      seq: data.readUInt32LE(at + 8),
      body: data.subarray(at + HEADER_SIZE, at + size),
    };
    at += align(size);
  }
}

export function attribute(type: number, payload: Buffer): Buffer {
  const result = Buffer.alloc(align(4 + payload.length));
  result.writeUInt16LE(4 + payload.length, 0);
  result.writeUInt16LE(type, 2);
  payload.copy(result, 4);
  return result;
}

export function nested(type: number, ...attributes: Buffer[]): Buffer {
  return attribute(type | NLA_F_NESTED, Buffer.concat(attributes));
}

export function decodeAttributes(data: Buffer): Map<number, Buffer> {
  const result = new Map<number, Buffer>();
  for (let at = 0; at + 4 <= data.length; ) {
    const size = data.readUInt16LE(at);
    if (size < 4) break;
    result.set(data.readUInt16LE(at + 2) & NLA_TYPE_MASK, data.subarray(at + 4, at + size));
    at += align(size);
  }
  return result;
}

export function u8(value: number): Buffer {
  return Buffer.from([value]);
}

export function u16be(value: number): Buffer {
  return Buffer.from([value >> 8, value & 0xff]);
}

export function u32(value: number): Buffer {
  const result = Buffer.alloc(4);
  result.writeUInt32LE(value >>> 0);
  return result;
}

export function text(value: string): Buffer {
  return Buffer.from(`${value}\0`);
}

export function decodeText(data: Buffer | undefined): string {
  return data ? data.toString('utf8').replace(/\0+$/, '') : '';
}

export function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

export function macText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/(..)(?=.)/g, '$1:');
}

export function ipBytes(ip: string): Buffer {
  return Buffer.from(ip.split('.').map(Number));
}

export function ipText(bytes: Buffer): string {
  return [...bytes].join('.');
}

function align(size: number): number {
  return (size + 3) & ~3;
}
