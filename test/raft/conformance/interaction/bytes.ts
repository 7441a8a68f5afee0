/** Payloads are texts in the files. */

const encoder = new TextEncoder();

export function bytesOf(text: string): Uint8Array {
  return encoder.encode(text);
}

export function concatBytes(...parts: readonly (Uint8Array | undefined)[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...(part ?? [])]));
}
