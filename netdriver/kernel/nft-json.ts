interface Listing {
  readonly nftables: readonly {
    readonly map?: { readonly elem?: readonly [unknown, unknown][] };
  }[];
}

/** The elements of the one map in what `nft -j list map` prints. */
export function parseElements(
  text: string,
): { key: readonly string[]; value: readonly string[] }[] {
  const listing = JSON.parse(text) as Listing;
  const elements = listing.nftables.flatMap((entry) => entry.map?.elem ?? []);
  return elements.map(([key, value]) => ({ key: parts(key), value: parts(value) }));
}

/** A plain value, or the parts of a concatenation. */
function parts(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [String(value)];
  const { concat } = value as { concat?: readonly unknown[] };
  return (concat ?? []).map(String);
}
