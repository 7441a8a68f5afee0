import type { MemberState } from '../../proto/gen/swarm/gossip.ts';

interface Record {
  readonly networks: readonly string[];
  readonly ltime: number;
}

/** Which node has which networks: for each node the newest of what it said of itself. */
export class Attendance {
  private readonly records = new Map<string, Record>();

  setSelf(nodeId: string, networks: readonly string[], ltime: number): void {
    this.records.set(nodeId, { networks, ltime });
  }

  /** True when `state` was news. */
  merge(state: MemberState): boolean {
    const known = this.records.get(state.nodeId);
    if (known && known.ltime >= state.ltime) return false;
    this.records.set(state.nodeId, { networks: state.networks, ltime: state.ltime });
    return true;
  }

  of(networkId: string): string[] {
    return [...this.records].filter(([, r]) => r.networks.includes(networkId)).map(([id]) => id);
  }

  record(nodeId: string): { networks: string[]; ltime: number } {
    const record = this.records.get(nodeId);
    return { networks: [...(record?.networks ?? [])], ltime: record?.ltime ?? 0 };
  }

  /** Forgets every node that is not in `nodeIds`. */
  keep(nodeIds: readonly string[]): void {
    const wanted = new Set(nodeIds);
    for (const nodeId of this.records.keys()) if (!wanted.has(nodeId)) this.records.delete(nodeId);
  }
}
