/**
 * An nftables table as a value: what a planner wants, and what was last written. The text for nft
 * is either the whole table or the difference of two values; both are one atomic transaction.
 */
export interface Ruleset {
  readonly family: 'ip' | 'inet';
  readonly table: string;
  readonly maps: Readonly<Record<string, NftMap>>;
  readonly chains: Readonly<Record<string, NftChain>>;
}

/** A set when the elements' values are empty. */
export interface NftMap {
  /** `ipv4_addr`, or `ipv4_addr : verdict` for a map. */
  readonly type: string;
  readonly elements: Readonly<Record<string, string>>;
}

export interface NftChain {
  /** `type nat hook prerouting priority dstnat; policy accept;` absent for chains jumped to. */
  readonly hook?: string;
  readonly rules: readonly string[];
}

/**
 * Replaces whatever stands there under this name. In a `fresh` namespace nothing does, and leaving
 * the removal out makes the transaction ten times faster: removals wait for an RCU period.
 */
export function renderTable(ruleset: Ruleset, init: { fresh?: boolean } = {}): string {
  const lines = [...(init.fresh ? [] : removeLines(ruleset)), `add table ${nameOf(ruleset)}`];
  for (const [name, map] of Object.entries(ruleset.maps)) lines.push(addMap(ruleset, name, map));
  for (const [name, chain] of Object.entries(ruleset.chains)) {
    lines.push(addChain(ruleset, name, chain));
  }
  // Elements may point to chains and rules to maps, so both come last.
  for (const [name, map] of Object.entries(ruleset.maps)) {
    lines.push(...elementLines(ruleset, 'add', name, Object.entries(map.elements)));
  }
  for (const [name, chain] of Object.entries(ruleset.chains)) {
    lines.push(...ruleLines(ruleset, name, chain));
  }
  return toScript(lines);
}

export function renderRemoval(ruleset: Pick<Ruleset, 'family' | 'table'>): string {
  return toScript(removeLines(ruleset));
}

/** What leads from `old` to `next`; '' when they are equal. */
export function renderChange(old: Ruleset, next: Ruleset): string {
  if (needsWholeTable(old, next)) return renderTable(next);
  const lines: string[] = [];
  const unused = (name: string, from: object, to: object) => name in from && !(name in to);
  for (const [name, map] of Object.entries(next.maps)) {
    if (!(name in old.maps)) lines.push(addMap(next, name, map));
  }
  for (const [name, chain] of Object.entries(next.chains)) {
    if (!(name in old.chains)) lines.push(addChain(next, name, chain));
    else if (!sameRules(old.chains[name], chain)) {
      lines.push(`flush chain ${nameOf(next)} ${name}`);
    }
  }
  for (const [name, map] of Object.entries(old.maps)) {
    const wanted = next.maps[name]?.elements ?? {};
    const outdated = Object.entries(map.elements).filter(([key, value]) => wanted[key] !== value);
    lines.push(...elementLines(next, 'delete', name, outdated));
  }
  for (const [name, map] of Object.entries(next.maps)) {
    const present = old.maps[name]?.elements ?? {};
    const missing = Object.entries(map.elements).filter(([key, value]) => present[key] !== value);
    lines.push(...elementLines(next, 'add', name, missing));
  }
  for (const [name, chain] of Object.entries(next.chains)) {
    if (!sameRules(old.chains[name], chain)) lines.push(...ruleLines(next, name, chain));
  }
  for (const name of Object.keys(old.chains)) {
    if (unused(name, old.chains, next.chains)) {
      lines.push(`flush chain ${nameOf(next)} ${name}`, `delete chain ${nameOf(next)} ${name}`);
    }
  }
  for (const name of Object.keys(old.maps)) {
    if (unused(name, old.maps, next.maps)) lines.push(`delete map ${nameOf(next)} ${name}`);
  }
  return toScript(lines);
}

/** A hook or a type cannot be changed in place. */
function needsWholeTable(old: Ruleset, next: Ruleset): boolean {
  if (nameOf(old) !== nameOf(next)) return true;
  const retyped = Object.entries(next.maps).some(
    ([name, map]) => old.maps[name] !== undefined && old.maps[name]?.type !== map.type,
  );
  const rehooked = Object.entries(next.chains).some(
    ([name, chain]) => old.chains[name] !== undefined && old.chains[name]?.hook !== chain.hook,
  );
  return retyped || rehooked;
}

function sameRules(old: NftChain | undefined, next: NftChain): boolean {
  return (old?.rules ?? []).join('\n') === next.rules.join('\n');
}

/** Removing what may not be there: create it first. */
function removeLines(ruleset: Pick<Ruleset, 'family' | 'table'>): string[] {
  return [`add table ${nameOf(ruleset)}`, `delete table ${nameOf(ruleset)}`];
}

function addMap(ruleset: Ruleset, name: string, map: NftMap): string {
  const kind = map.type.includes(' : ') ? 'map' : 'set';
  return `add ${kind} ${nameOf(ruleset)} ${name} { type ${map.type}; }`;
}

function addChain(ruleset: Ruleset, name: string, chain: NftChain): string {
  const hook = chain.hook ? ` { ${chain.hook} }` : '';
  return `add chain ${nameOf(ruleset)} ${name}${hook}`;
}

function elementLines(
  ruleset: Ruleset,
  verb: 'add' | 'delete',
  map: string,
  elements: [string, string][],
): string[] {
  if (elements.length === 0) return [];
  const list = elements.map(([key, value]) => (value ? `${key} : ${value}` : key));
  return [`${verb} element ${nameOf(ruleset)} ${map} { ${list.join(', ')} }`];
}

function ruleLines(ruleset: Ruleset, name: string, chain: NftChain): string[] {
  return chain.rules.map((rule) => `add rule ${nameOf(ruleset)} ${name} ${rule}`);
}

function nameOf(ruleset: Pick<Ruleset, 'family' | 'table'>): string {
  return `${ruleset.family} ${ruleset.table}`;
}

function toScript(lines: string[]): string {
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}
