/** Bytes as quoted text: what is printable ASCII stands for itself, the rest is escaped. */

const ESCAPES: Readonly<Record<number, string>> = {
  9: '\\t',
  10: '\\n',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
};

export function quote(bytes: Uint8Array): string {
  let text = '"';
  for (const byte of bytes) text += ESCAPES[byte] ?? character(byte);
  return `${text}"`;
}

function character(byte: number): string {
  if (byte >= 0x20 && byte < 0x7f) return String.fromCharCode(byte);
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}
