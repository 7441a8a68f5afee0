import type { GenericResource, Resources } from '../../proto/gen/swarm/types.ts';

/** What the tasks of one node have reserved of it. */
export interface Reserved {
  nanoCpus: number;
  memoryBytes: number;
  readonly generic: GenericResource[];
}

export function noneReserved(): Reserved {
  return { nanoCpus: 0, memoryBytes: 0, generic: [] };
}

/** One resource that a node lacks, for the explanation. */
export interface Shortage {
  readonly wanted: string;
  readonly had: string;
}

/** The first resource of which less is free than wanted. */
export function findShortage(
  wanted: Resources,
  offered: Resources | undefined,
  reserved: Reserved,
): Shortage | undefined {
  const cpus = (offered?.nanoCpus ?? 0) - reserved.nanoCpus;
  if (wanted.nanoCpus > cpus) {
    return { wanted: `${wanted.nanoCpus / 1e9} CPUs`, had: `${cpus / 1e9} CPUs free` };
  }
  const memory = (offered?.memoryBytes ?? 0) - reserved.memoryBytes;
  if (wanted.memoryBytes > memory) {
    return { wanted: formatBytes(wanted.memoryBytes), had: `${formatBytes(memory)} free` };
  }
  for (const [kind, amount] of wantedGenerics(wanted)) {
    const free = freeGeneric(kind, offered, reserved);
    if (amount > free) return { wanted: `${amount} ${kind}`, had: `${free} ${kind} free` };
  }
  return undefined;
}

/** Which of the node's generic resources a task gets. Call only when there is no shortage. */
export function claimGenerics(
  wanted: Resources | undefined,
  offered: Resources | undefined,
  reserved: Reserved,
): GenericResource[] {
  return [...wantedGenerics(wanted)].flatMap(([kind, amount]): GenericResource[] => {
    const names = freeNames(kind, offered, reserved);
    if (names === undefined) {
      return [{ resource: { $case: 'discrete', discrete: { kind, value: amount } } }];
    }
    return names
      .slice(0, amount)
      .map((value) => ({ resource: { $case: 'named', named: { kind, value } } }));
  });
}

function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${Math.round(value * 100) / 100} ${units[unit]}`;
}

/** Tasks ask for amounts only. */
function* wantedGenerics(wanted: Resources | undefined): Iterable<[kind: string, amount: number]> {
  for (const { resource } of wanted?.generic ?? []) {
    if (resource?.$case === 'discrete') yield [resource.discrete.kind, resource.discrete.value];
  }
}

function freeGeneric(kind: string, offered: Resources | undefined, reserved: Reserved): number {
  const names = freeNames(kind, offered, reserved);
  return names?.length ?? amountOf(kind, offered?.generic) - amountOf(kind, reserved.generic);
}

/** Undefined when the node offers an amount of this kind, not names. */
function freeNames(
  kind: string,
  offered: Resources | undefined,
  reserved: Reserved,
): string[] | undefined {
  const names = namesOf(kind, offered?.generic);
  if (names.length === 0) return undefined;
  const taken = new Set(namesOf(kind, reserved.generic));
  return names.filter((name) => !taken.has(name));
}

function namesOf(kind: string, generics: readonly GenericResource[] = []): string[] {
  return generics.flatMap(({ resource }) =>
    resource?.$case === 'named' && resource.named.kind === kind ? [resource.named.value] : [],
  );
}

function amountOf(kind: string, generics: readonly GenericResource[] = []): number {
  let amount = 0;
  for (const { resource } of generics) {
    if (resource?.$case === 'discrete' && resource.discrete.kind === kind) {
      amount += resource.discrete.value;
    }
  }
  return amount;
}
