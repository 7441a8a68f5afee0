import { formatIp, parseIp } from '../ipv4.ts';
import type { LinkOp, PolicyRule } from '../kernel/types.ts';

/** Before the main table, after the local one. */
const RULE_PRIORITY = 1000;
const EVERYWHERE = '0.0.0.0/0';

/**
 * Routes of a container's answers, one table per ingress endpoint: what carries the endpoint's mark
 * leaves through it. Mark and table are the endpoint's address as a number, so that no node needs
 * to agree with another on numbers. `ordered` tells in which byte order the mark is made (see
 * `Kernel.nftOrdersMarks`).
 */
export function clientRouteOps(
  old: ReadonlySet<string>,
  next: ReadonlySet<string>,
  via: { ifname: string; ordered: boolean },
): { removals: LinkOp[]; additions: LinkOp[] } {
  const gone = [...old].filter((ip) => !next.has(ip));
  const fresh = [...next].filter((ip) => !old.has(ip));
  return {
    removals: gone.flatMap((ip): LinkOp[] => [
      { op: 'del-rule', ...ruleOf(ip, via.ordered) },
      { op: 'del-route', to: EVERYWHERE, via: ip, dev: via.ifname, table: parseIp(ip) },
    ]),
    additions: fresh.flatMap((ip): LinkOp[] => [
      { op: 'set-route', to: EVERYWHERE, via: ip, dev: via.ifname, table: parseIp(ip) },
      { op: 'add-rule', ...ruleOf(ip, via.ordered) },
    ]),
  };
}

/** The ingress endpoints that a container has routes to already. */
export function clientRoutesIn(rules: readonly PolicyRule[]): Set<string> {
  return new Set(
    rules.filter(({ priority }) => priority === RULE_PRIORITY).map(({ table }) => formatIp(table)),
  );
}

function ruleOf(ip: string, ordered: boolean): PolicyRule {
  const table = parseIp(ip);
  return { mark: ordered ? table : swapBytes(table), table, priority: RULE_PRIORITY };
}

/** Machines that Node runs on are little-endian. */
function swapBytes(value: number): number {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.readUInt32LE();
}
