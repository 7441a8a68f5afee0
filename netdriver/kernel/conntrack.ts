import type { FlowFilter } from './types.ts';

/** The arguments of conntrack(8) that select these flows. */
export function flowArguments(filter: FlowFilter): string[] {
  const pairs: [string, string | number | undefined][] = [
    ['-p', filter.protocol],
    ['--orig-dst', filter.originalDestination],
    ['--orig-port-dst', filter.originalPort],
    ['--reply-src', filter.replySource],
  ];
  return pairs.flatMap(([flag, value]) => (value === undefined ? [] : [flag, String(value)]));
}
