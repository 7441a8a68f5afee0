import { crc32 } from 'node:zlib';

/** CRC-32 as eight hexadecimal digits. */
export function checksumOf(data: string | Uint8Array): string {
  return crc32(data).toString(16).padStart(8, '0');
}

/** JSON with a checksum as its last member; `value` must not have one of that name. */
export function encodeChecked(value: object): string {
  const checksum = checksumOf(JSON.stringify(value));
  return `${JSON.stringify({ ...value, checksum }, undefined, 2)}\n`;
}

/** What `encodeChecked` was given. Throws an Error that says what is wrong with `text`. */
export function decodeChecked<T extends object>(text: string): T {
  let parsed: { checksum?: unknown } | null;
  try {
    parsed = JSON.parse(text) as { checksum?: unknown } | null;
  } catch {
    throw new Error(text.trim() === '' ? 'it is empty' : 'it is cut short or is no JSON');
  }
  if (typeof parsed !== 'object' || parsed === null) throw new Error('it holds no object');
  const { checksum, ...value } = parsed;
  if (checksum === undefined) throw new Error('it has no checksum');
  if (checksum !== checksumOf(JSON.stringify(value))) throw new Error('its checksum is wrong');
  return value as T;
}

const HEADER = /^# checksum ([0-9a-f]{8})\n/;

/**
 * Text behind a line with its checksum. The line is the first one, so that a file that is cut short
 * still has it; readers of PEM pass over it.
 */
export function encodeCheckedText(text: string): string {
  return `# checksum ${checksumOf(text)}\n${text}`;
}

/** What `encodeCheckedText` was given. Throws an Error that says what is wrong with `stored`. */
export function decodeCheckedText(stored: string): string {
  const [header, checksum] = HEADER.exec(stored) ?? [];
  if (header === undefined) {
    throw new Error(stored === '' ? 'it is empty' : 'it does not begin with its checksum');
  }
  const text = stored.slice(header.length);
  if (checksumOf(text) !== checksum) throw new Error('its checksum is wrong');
  return text;
}

const RECORD_HEADER = 4;

/** A value for a database that has no checksums of its own; `key` is where it is stored. */
export function encodeRecord(key: string, data: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(RECORD_HEADER + data.length);
  record.set(data, RECORD_HEADER);
  record.writeUInt32BE(crc32(data, crc32(key)));
  return record;
}

/** What `encodeRecord` was given; undefined when it is damaged, or belongs to another key. */
export function decodeRecord(key: string, record: Buffer): Buffer | undefined {
  if (record.length < RECORD_HEADER) return undefined;
  const data = record.subarray(RECORD_HEADER);
  return record.readUInt32BE() === crc32(data, crc32(key)) ? data : undefined;
}

/** The checksum that `record` has, right or wrong. */
export function checksumOfRecord(record: Buffer): number {
  return record.length < RECORD_HEADER ? 0 : record.readUInt32BE();
}
