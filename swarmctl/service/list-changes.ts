import type { EndpointPort } from '../commands/api-types.ts';

/** `--X-add` and `--X-rm` of a list of values: no value twice. */
export function changeList(
  before: readonly string[] | undefined,
  add: readonly string[],
  remove: readonly string[],
): string[] {
  const kept = (before ?? []).filter((value) => !remove.includes(value));
  return [...new Set([...kept, ...add])];
}

/** The same for a map. */
export function changeMap(
  before: Readonly<Record<string, string>> | undefined,
  add: Readonly<Record<string, string>>,
  remove: readonly string[],
): Record<string, string> {
  const kept = Object.entries(before ?? {}).filter(([key]) => !remove.includes(key));
  return { ...Object.fromEntries(kept), ...add };
}

/** The same for items with a key: what is added takes the place of what has its key. */
export function changeKeyed<T>(
  before: readonly T[] | undefined,
  add: readonly T[],
  remove: readonly string[],
  key: (item: T) => string,
): T[] {
  const replaced = new Set([...remove, ...add.map(key)]);
  return [...(before ?? []).filter((item) => !replaced.has(key(item))), ...add];
}

/** `--publish-rm` names a port by its target, with or without the published port and protocol. */
export function removePorts(
  ports: readonly EndpointPort[],
  remove: readonly string[],
): EndpointPort[] {
  return ports.filter((port) => !remove.some((text) => names(text, port)));
}

function names(text: string, port: EndpointPort): boolean {
  const match = /^(?:(\d+):)?(\d+)(?:\/(\w+))?$/.exec(text);
  if (!match) return false;
  const [, published, target, protocol = 'tcp'] = match;
  return (
    Number(target) === port.TargetPort &&
    protocol === port.Protocol &&
    (published === undefined || Number(published) === port.PublishedPort)
  );
}
