import { crc32 } from 'node:zlib';
import { type AnyObject, kinds, wrap } from '../../../manager/store/kinds.ts';
import type { MemoryStore } from '../../../manager/store/memory-store.ts';
import type { Commit, Kind, ReadTx, StoreChange } from '../../../manager/store/types.ts';
import { StoreObject } from '../../../proto/gen/swarm/store.ts';
import type { ManagerLife } from '../cluster/manager-life.ts';
import { assertLegal } from '../task-invariants.ts';
import { Violation, type World } from '../world/world.ts';

/** How often a digest that follows the changes is compared with one of everything. */
const RECOUNT_EVERY = 50;

/**
 * Sees every commit of every replica. What two replicas hold at one index is the same, tasks make only
 * moves that their owners make, and nothing has two owners.
 */
export class StoreOracle {
  readonly #world: World;
  /** The digest of the state at each index, as the first replica had it there. */
  readonly #digests = new Map<number, number>();
  #newest = 0;

  constructor(world: World) {
    this.#world = world;
  }

  follow(life: ManagerLife): void {
    let digest = 0;
    const { store, process } = life;
    store.subscribe((commit) => {
      if (process.ended) return;
      try {
        digest = commit.restored ? digestOf(store) : this.#changed(digest, commit);
        if (commit.index % RECOUNT_EVERY === 0 && digestOf(store) !== digest) {
          throw new Violation(`the store at ${commit.index} is not what its changes lead to`);
        }
        this.#compare(life, commit.index, digest);
        if (!commit.restored && commit.index > this.#newest) this.#judge(store, commit);
      } catch (error) {
        this.#world.fail(error);
      }
    });
  }

  #changed(digest: number, { changes }: Commit): number {
    let result = digest;
    for (const change of changes) {
      if (change.type === 'update') result ^= hashOf(change.kind, change.old);
      result ^= hashOf(change.kind, change.object);
    }
    return result;
  }

  #compare({ host }: ManagerLife, index: number, digest: number): void {
    const known = this.#digests.get(index);
    if (known === undefined) this.#digests.set(index, digest);
    else if (known !== digest) {
      throw new Violation(`${host.name} has another state at ${index} than others had`);
    }
  }

  /** Once for each commit, at whoever has it first. */
  #judge(store: MemoryStore, { index, changes }: Commit): void {
    this.#newest = index;
    for (const change of changes) if (change.kind === 'task') assertLegal(change);
    if (changes.some(concernsOwners)) store.view(assertOwners);
  }
}

const OWNERS: ReadonlySet<Kind> = new Set(['network', 'service', 'task', 'node']);

function concernsOwners({ kind }: StoreChange): boolean {
  return OWNERS.has(kind);
}

/** Addresses, published ports and VXLAN ids each have one owner. */
function assertOwners(tx: ReadTx): void {
  const owners = new Map<string, string>();
  const claim = (what: string, owner: string) => {
    const other = owners.get(what);
    if (other !== undefined && other !== owner) {
      throw new Violation(`${what} belongs to ${other} and to ${owner}`);
    }
    owners.set(what, owner);
  };
  for (const network of tx.all('network')) claimNetwork(network, claim);
  for (const { id, endpoint } of tx.all('service')) {
    for (const { networkId, addr } of endpoint?.virtualIps ?? []) {
      if (addr) claim(`${networkId} ${hostPart(addr)}`, `service ${id}`);
    }
    for (const port of endpoint?.ports ?? []) {
      if (port.publishMode === 0 && port.publishedPort) {
        claim(`port ${port.protocol}/${port.publishedPort}`, `service ${id}`);
      }
    }
  }
  for (const { id, attachments } of tx.all('node')) {
    for (const { network, addresses } of attachments) {
      for (const addr of addresses) claim(`${network?.id} ${hostPart(addr)}`, `node ${id}`);
    }
  }
  for (const { id, networks, status } of tx.all('task')) {
    if ((status?.state ?? 0) > RUNNING) continue;
    for (const { network, addresses } of networks) {
      for (const addr of addresses) claim(`${network?.id} ${hostPart(addr)}`, `task ${id}`);
    }
  }
}

const RUNNING = 512;

function claimNetwork(network: AnyObject, claim: (what: string, owner: string) => void): void {
  const { id, driverState, ipam } = network as {
    id: string;
    driverState?: { options: Record<string, string> };
    ipam?: { configs: readonly { subnet: string; gateway: string }[] };
  };
  const vni = driverState?.options['com.docker.network.driver.overlay.vxlanid_list'];
  if (vni) claim(`vni ${vni}`, `network ${id}`);
  for (const { subnet, gateway } of ipam?.configs ?? []) {
    if (subnet) claim(`subnet ${subnet}`, `network ${id}`);
    if (gateway) claim(`${id} ${hostPart(gateway)}`, `network ${id}`);
  }
}

function hostPart(addr: string): string {
  return addr.split('/')[0]!;
}

const hashes = new WeakMap<AnyObject, number>();

/** Objects never change, so each is hashed once. */
function hashOf(kind: Kind, object: AnyObject): number {
  let hash = hashes.get(object);
  if (hash === undefined) {
    hash = crc32(StoreObject.encode(wrap(kind, object)).finish()) | 0;
    hashes.set(object, hash);
  }
  return hash;
}

/** The same for the same objects, in whatever order. */
export function digestOf(store: MemoryStore): number {
  return store.view((tx) => {
    let digest = 0;
    for (const kind of kinds) for (const object of tx.all(kind)) digest ^= hashOf(kind, object);
    return digest;
  });
}
