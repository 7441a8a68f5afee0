import { parseIp } from '../ipv4.ts';
import type { LinkOp } from '../kernel/types.ts';

/** Before the main table, after the local one. */
const RULE_PRIORITY = 1000;
const EVERYWHERE = '0.0.0.0/0';

/**
 * Routes of a container's answers, one table per ingress endpoint: what carries the endpoint's mark
 * leaves through it. Mark and table are the endpoint's address as a number, so that no node needs
 * to agree with another on numbers.
 */
export function clientRouteOps(
  old: ReadonlySet<string>,
  next: ReadonlySet<string>,
  ifname: string,
): { removals: LinkOp[]; additions: LinkOp[] } {
  const gone = [...old].filter((ip) => !next.has(ip));
  const fresh = [...next].filter((ip) => !old.has(ip));
  return {
    removals: gone.flatMap((ip): LinkOp[] => [
      { op: 'del-rule', mark: parseIp(ip), table: parseIp(ip), priority: RULE_PRIORITY },
      { op: 'del-route', to: EVERYWHERE, via: ip, dev: ifname, table: parseIp(ip) },
    ]),
    additions: fresh.flatMap((ip): LinkOp[] => [
      { op: 'set-route', to: EVERYWHERE, via: ip, dev: ifname, table: parseIp(ip) },
      { op: 'add-rule', mark: parseIp(ip), table: parseIp(ip), priority: RULE_PRIORITY },
    ]),
  };
}
