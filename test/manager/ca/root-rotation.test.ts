import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import fc from 'fast-check';
import { issuerOfRoot } from '../../../manager/ca/issuer.ts';
import { createRootCa, type RootCa } from '../../../manager/ca/root-ca.ts';
import {
  finishedRotation,
  nextRotationStep,
  type RotationStep,
  toldToRotate,
} from '../../../manager/ca/root-rotation.ts';
import { Node, RootCA } from '../../../proto/gen/swarm/objects.ts';
import { IssuanceState, NodeState } from '../../../proto/gen/swarm/types.ts';
import { seededRandom } from '../../support/seeded-random.ts';

let roots: readonly RootCa[] = [];
before(async () => {
  roots = await Promise.all([0, 1, 2].map(() => createRootCa(Date.UTC(2026, 0, 1))));
});

const OLD = 0;
const NEXT = 1;
const anyTime = { limit: 100, toldLately: () => false };

function rootCa(next?: number): RootCA {
  const pem = (i: number) => Buffer.from(roots[i]?.certificatePem ?? '');
  const rootRotation = next === undefined ? undefined : { caCert: pem(next) };
  return RootCA.fromPartial({ caCert: pem(OLD), rootRotation });
}

/** `root` is that of the certificate that the node says it uses. */
function node(id: string, root: number | undefined, more: { told?: boolean; down?: boolean } = {}) {
  const issuer = root === undefined ? undefined : issuerOfRoot(roots[root]?.certificatePem ?? '');
  return Node.fromPartial({
    id,
    status: { state: more.down ? NodeState.DOWN : NodeState.READY },
    certificate: { status: { state: more.told ? IssuanceState.ROTATE : IssuanceState.ISSUED } },
    description: issuer && {
      tlsInfo: { certIssuerSubject: issuer.subject, certIssuerPublicKey: issuer.publicKey },
    },
  });
}

const nodesOf = (issuers: fc.Arbitrary<number | undefined>) =>
  fc
    .array(fc.record({ root: issuers, told: fc.boolean(), down: fc.boolean() }), { maxLength: 12 })
    .map((all) => all.map(({ root, ...more }, i) => node(`n${i}`, root, more)));
const anyNodes = nodesOf(fc.constantFrom(undefined, 0, 1, 2));

const stale = (all: readonly Node[], root: number) => {
  const wanted = issuerOfRoot(roots[root]?.certificatePem ?? '').publicKey;
  return all.filter(({ description }) => !description?.tlsInfo?.certIssuerPublicKey.equals(wanted));
};

test('a rotation waits for exactly those that do not show the new root', () => {
  fc.assert(
    fc.property(anyNodes, (all) => {
      const step = nextRotationStep(rootCa(NEXT), all, anyTime);
      assert.deepEqual(
        step.waiting,
        stale(all, NEXT).map(({ id }) => id),
      );
      assert.equal(step.finished, step.waiting.length === 0);
    }),
  );
});

test('those are told who wait, were not told, and are not more than the limit', () => {
  const subset = fc.subarray(['n0', 'n1', 'n2', 'n3', 'n4', 'n5']);
  fc.assert(
    fc.property(anyNodes, fc.nat(5), subset, (all, limit, lately) => {
      const toldLately = (id: string) => lately.includes(id);
      const { tell, waiting } = nextRotationStep(rootCa(NEXT), all, { limit, toldLately });
      assert(tell.length <= limit);
      assert.equal(new Set(tell).size, tell.length);
      const untold = stale(all, NEXT).filter(
        ({ id, certificate }) =>
          certificate?.status?.state !== IssuanceState.ROTATE && !lately.includes(id),
      );
      assert(tell.every((id) => waiting.includes(id) && untold.some((one) => one.id === id)));
      assert.equal(tell.length, Math.min(limit, untold.length));
      // Nobody who is away is told while one who is there could be.
      const isUp = (id: string) =>
        all.find((one) => one.id === id)?.status?.state === NodeState.READY;
      const upLeft = untold.some(({ id }) => isUp(id) && !tell.includes(id));
      if (upLeft) assert(tell.every(isUp));
    }),
  );
});

test('without a rotation, only those are told who say that they have another root', () => {
  fc.assert(
    fc.property(anyNodes, (all) => {
      const { waiting, finished } = nextRotationStep(rootCa(), all, anyTime);
      assert.equal(finished, false);
      const strangers = stale(all, OLD).filter(({ description }) => description?.tlsInfo);
      assert.deepEqual(
        waiting,
        strangers.map(({ id }) => id),
      );
    }),
  );
});

/** What may happen to a cluster between two looks of a leader. */
const events = fc.array(
  fc.oneof(
    fc.record({ type: fc.constant('renews' as const), node: fc.nat(7) }),
    fc.record({ type: fc.constant('reports' as const), node: fc.nat(7) }),
    fc.record({ type: fc.constant('joins' as const), node: fc.nat(7) }),
    fc.record({ type: fc.constant('leaves' as const), node: fc.nat(7) }),
    fc.record({ type: fc.constant('rotate' as const), node: fc.constantFrom(1, 2) }),
  ),
  { maxLength: 60 },
);

interface World {
  root: RootCA;
  /** The root of the certificate that each node has, which it may not have reported yet. */
  readonly held: Map<string, number>;
  readonly nodes: Map<string, Node>;
}

test('it ends from any state, and never while a certificate of the old root is in use', () => {
  fc.assert(
    fc.property(events, (steps) => {
      const world: World = { root: rootCa(), held: new Map(), nodes: new Map() };
      for (const id of ['n0', 'n1', 'n2']) join(world, id);
      for (const step of steps) {
        happen(world, step);
        lead(world);
      }
      // Then everybody does what he is told.
      for (let round = 0; round < 10; round++) {
        lead(world);
        for (const id of world.nodes.keys()) {
          renew(world, id);
          report(world, id);
        }
      }
      const last = nextRotationStep(world.root, world.nodes.values(), anyTime);
      assert.equal(world.root.rootRotation, undefined);
      assert.deepEqual([last.tell, last.waiting], [[], []]);
      assert([...world.held.values()].every((root) => root === signing(world)));
    }),
  );
});

/** Every look is that of a new leader, who knows nothing but the objects. */
function lead(world: World): RotationStep {
  const step = nextRotationStep(world.root, world.nodes.values(), { ...anyTime, limit: 2 });
  for (const id of step.tell) world.nodes.set(id, toldToRotate(world.nodes.get(id) as Node));
  if (step.finished) {
    const wanted = signing(world);
    for (const [id, root] of world.held) assert.equal(root, wanted, `${id} is left behind`);
    world.root = finishedRotation(world.root, seededRandom(1));
  }
  return step;
}

function happen(world: World, event: { type: string; node: number }): void {
  const id = `n${event.node}`;
  if (event.type === 'rotate') {
    if (signing(world) === event.node) return;
    const caCert = Buffer.from(roots[event.node]?.certificatePem ?? '');
    world.root = RootCA.fromPartial({ ...world.root, rootRotation: { caCert } });
  } else if (event.type === 'joins') {
    if (!world.nodes.has(id)) join(world, id);
  } else if (event.type === 'leaves') {
    world.nodes.delete(id);
    world.held.delete(id);
  } else if (event.type === 'renews') renew(world, id);
  else report(world, id);
}

function join(world: World, id: string): void {
  world.held.set(id, signing(world));
  world.nodes.set(id, Node.fromPartial({ id }));
}

function renew(world: World, id: string): void {
  const old = world.nodes.get(id);
  if (old?.certificate?.status?.state !== IssuanceState.ROTATE) return;
  world.held.set(id, signing(world));
  const certificate = { ...old.certificate, status: { state: IssuanceState.ISSUED, err: '' } };
  world.nodes.set(id, { ...old, certificate });
}

function report(world: World, id: string): void {
  const old = world.nodes.get(id);
  if (!old) return;
  const { description } = node(id, world.held.get(id));
  world.nodes.set(id, { ...old, description });
}

function signing({ root }: World): number {
  const pem = (root.rootRotation?.caCert ?? root.caCert).toString();
  return roots.findIndex(({ certificatePem }) => certificatePem === pem);
}

test('the end of a rotation changes root, key, digest and both tokens', () => {
  const key = Buffer.from('the next key');
  const tokens = { worker: 'w', manager: 'm' };
  const during = { ...rootCa(NEXT), joinTokens: tokens, lastForcedRotation: 3 };
  const next = { ...during.rootRotation, caKey: key };
  const after = finishedRotation(
    RootCA.fromPartial({ ...during, rootRotation: next }),
    seededRandom(1),
  );
  assert.equal(after.rootRotation, undefined);
  assert.equal(after.caCert.toString(), roots[NEXT]?.certificatePem);
  assert.deepEqual(after.caKey, key);
  assert.equal(after.lastForcedRotation, 3);
  assert.equal(after.caCertHash, `sha256:${roots[NEXT]?.digest.toString('hex')}`);
  for (const token of [after.joinTokens?.worker, after.joinTokens?.manager]) {
    assert.match(token ?? '', /^SWMTKN-1-/);
  }
  assert.notEqual(after.joinTokens?.worker, after.joinTokens?.manager);
});
