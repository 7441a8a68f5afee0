import type { Placement } from '../../proto/gen/swarm/specs.ts';
import { attributeOf } from './constraint.ts';
import { Heap } from './heap.ts';
import type { NodeInfo } from './node-info.ts';

type Compare = (a: NodeInfo, b: NodeInfo) => number;

/** The labels over which tasks are spread, outermost first. */
export function spreadLabels(placement: Placement | undefined): string[] {
  return (placement?.preferences ?? []).flatMap(({ preference }) =>
    preference?.$case === 'spread' ? [preference.spread.spreadDescriptor] : [],
  );
}

/**
 * The nodes by the values of their labels, one level per preference. The next task goes down the
 * branch with the fewest tasks of the service that still has a candidate, at each level, and to the
 * best candidate of the leaf. A missing label is a value like any other.
 */
export class SpreadTree {
  readonly #labels: readonly string[];
  readonly #compare: Compare;
  readonly #root: Branch;

  constructor(labels: readonly string[], compare: Compare) {
    this.#labels = labels;
    this.#compare = compare;
    this.#root = new Branch(compare);
  }

  /** Every node counts for its branches; only a candidate can be picked. */
  add(info: NodeInfo, tasks: number, isCandidate: boolean): void {
    for (const branch of this.#path(info)) {
      branch.tasks += tasks;
      if (isCandidate) branch.candidates += 1;
    }
    if (isCandidate) this.#leaf(info).heap.push(info);
  }

  /** Takes the best candidate out; `placed` tells what became of it. */
  pick(): NodeInfo | undefined {
    if (this.#root.candidates === 0) return undefined;
    let branch = this.#root;
    while (branch.children.size > 0) branch = branch.emptiest(this.#compare);
    return branch.heap.pop();
  }

  /** The picked node has one more task and can, or cannot, take another. */
  placed(info: NodeInfo, isCandidate: boolean): void {
    for (const branch of this.#path(info)) {
      branch.tasks += 1;
      if (!isCandidate) branch.candidates -= 1;
    }
    if (isCandidate) this.#leaf(info).heap.push(info);
  }

  #leaf(info: NodeInfo): Branch {
    return this.#path(info).at(-1) as Branch;
  }

  #path(info: NodeInfo): Branch[] {
    let branch = this.#root;
    const path = [branch];
    for (const label of this.#labels) {
      branch = branch.child(attributeOf(info.node, label) ?? '');
      path.push(branch);
    }
    return path;
  }
}

class Branch {
  /** Tasks of the service below. */
  tasks = 0;
  /** Nodes below that can take a task. */
  candidates = 0;
  readonly children = new Map<string, Branch>();
  readonly heap: Heap<NodeInfo>;
  readonly #compare: Compare;

  constructor(compare: Compare) {
    this.#compare = compare;
    this.heap = new Heap(compare);
  }

  child(value: string): Branch {
    let child = this.children.get(value);
    if (!child) {
      child = new Branch(this.#compare);
      this.children.set(value, child);
    }
    return child;
  }

  /** Between equals the one with the better node. Call only when there is a candidate below. */
  emptiest(compare: Compare): Branch {
    let best: Branch | undefined;
    for (const child of this.children.values()) {
      if (child.candidates === 0) continue;
      if (!best || child.tasks < best.tasks) best = child;
      else if (child.tasks === best.tasks && compare(child.best(), best.best()) < 0) best = child;
    }
    return best as Branch;
  }

  best(): NodeInfo {
    const leaf = this.children.size === 0;
    return leaf ? (this.heap.peek() as NodeInfo) : this.emptiest(this.#compare).best();
  }
}
