/** How long peers that are known have to answer before missing rows are taken for missing. */
const PATIENCE_MS = 5_000;

interface Waiting {
  readonly joinedAt: number;
  readonly done: Promise<void>;
  readonly finish: () => void;
}

/**
 * Which joined networks have had their first exchange with somebody. While the members are unknown
 * (no manager has told them yet) a network waits as long as it takes.
 */
export class FirstSyncs {
  private readonly waiting = new Map<string, Waiting>();
  private peersKnownAt: number | undefined;
  private alone = false;

  joined(networkId: string, now: number): void {
    let finish = () => {};
    const done = new Promise<void>((resolve) => {
      finish = resolve;
    });
    this.waiting.set(networkId, { joinedAt: now, done, finish });
    if (this.alone) this.synced([networkId]);
  }

  /** Resolves at once for networks that are through, or were never joined. */
  wait(networkId: string): Promise<void> {
    return this.waiting.get(networkId)?.done ?? Promise.resolve();
  }

  synced(networkIds: readonly string[]): void {
    for (const networkId of networkIds) {
      this.waiting.get(networkId)?.finish();
      this.waiting.delete(networkId);
    }
  }

  peersKnown(others: number, now: number): void {
    this.peersKnownAt ??= now;
    this.alone = others === 0;
    if (this.alone) this.synced([...this.waiting.keys()]);
  }

  tick(now: number): void {
    if (this.peersKnownAt === undefined) return;
    for (const [networkId, { joinedAt }] of this.waiting) {
      if (now - Math.max(joinedAt, this.peersKnownAt) > PATIENCE_MS) this.synced([networkId]);
    }
  }

  /** Nobody is left waiting. */
  stop(): void {
    this.synced([...this.waiting.keys()]);
  }
}
