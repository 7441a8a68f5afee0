interface Kind {
  count: number;
  slowestMs: number;
}

/** Which errors clients got, how often, and how long the slowest took to come. */
export class ErrorsSeen {
  readonly #kinds = new Map<string, Kind>();

  add(label: string, tookMs: number): void {
    const kind = this.#kinds.get(label) ?? { count: 0, slowestMs: 0 };
    kind.count++;
    kind.slowestMs = Math.max(kind.slowestMs, tookMs);
    this.#kinds.set(label, kind);
  }

  /** The most frequent first. */
  lines(): string[] {
    return [...this.#kinds]
      .sort(([, a], [, b]) => b.count - a.count)
      .map(([label, { count, slowestMs }]) => {
        const seconds = (slowestMs / 1_000).toFixed(1);
        return `${String(count).padStart(6)} ×  slowest ${seconds.padStart(4)} s  ${label}`;
      });
  }
}
