/** Numbers in the context of messages: 8 bytes each, little endian. */

export function encodeNumbers(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => {
    view.setBigUint64(8 * i, BigInt(value), true);
  });
  return bytes;
}

/** Undefined unless the context is `count` numbers, all in the safe range. */
export function decodeNumbers(
  context: Uint8Array | undefined,
  count: number,
): readonly number[] | undefined {
  if (context?.length !== 8 * count) return undefined;
  const view = new DataView(context.buffer, context.byteOffset, context.length);
  const values = Array.from({ length: count }, (_, i) => Number(view.getBigUint64(8 * i, true)));
  return values.every(Number.isSafeInteger) ? values : undefined;
}
