/**
 * Regressions of servers around Raft, by the numbers of the list in test/raft/README.md, which also says
 * where the others are, and which cannot happen here.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { MessageType, message, RawNode } from 'raft-ts';
import { SwarmError } from '../../../common/errors.ts';
import { silentLogger } from '../../../common/logger.ts';
import { systemRandom } from '../../../common/random.ts';
import { coreConfig } from '../../../manager/consensus/core-config.ts';
import type { ConsensusInit } from '../../../manager/consensus/index.ts';
import { Leadership } from '../../../manager/consensus/leadership.ts';
import { Proposals } from '../../../manager/consensus/proposals.ts';
import { toWire } from '../../../manager/consensus/wire.ts';
import { LOOPBACK } from '../../support/loopback.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';
import { TestCluster, TestManager, until, write } from './harness.ts';
import { LEADER, MEMBER, snapshotOnDisk } from './snapshot-fixture.ts';

const FAST: Partial<ConsensusInit> = { tickMs: 50 };

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'server-regressions-'));
});
after(() => rm(root, { recursive: true, force: true }));

const freshDir = () => mkdtemp(join(root, 'log-'));

describe('members', () => {
  let cluster: TestCluster;
  afterEach(() => cluster.stop());

  it('47: a new cluster of one begins with that one in it and all others out', async () => {
    cluster = await TestCluster.create(3, FAST);
    const leader = await cluster.leader();
    await write(leader, 'a');
    const [survivor, other] = await cluster.followers();
    await until(() => survivor!.machine.texts.length === 1, 'it has all');
    const ids = [leader, other!].map(({ api }) => api.raftId).sort((a, b) => a - b);
    const { raftId } = survivor!.api;
    await Promise.all(cluster.managers.map((manager) => manager.kill()));
    await survivor!.start({ ...FAST, forceNewCluster: true });
    // As soon as it is started, and not only when it has led for a while.
    const { members, removed } = survivor!.api.membership();
    assert.deepEqual(
      members.map((member) => [member.raftId, member.learner]),
      [[raftId, false]],
    );
    assert.deepEqual(removed, ids);
    assert.equal(survivor!.removed, 0);
    // The others are refused from the first moment on: they cannot become voters of it again.
    for (const from of ids) {
      const peer = { nodeId: 'node-x', from, to: raftId, addr: `${LOOPBACK}:1` };
      assert.throws(() => survivor!.api.peers.accept(peer, () => undefined), {
        code: 'SWM_NOT_FOUND',
      });
    }
    await until(() => survivor!.api.isLeader, 'it leads');
    await write(survivor!, 'b');
    assert.deepEqual(survivor!.machine.texts, ['a', 'b']);
  });

  it('47: also of one that was removed before, which gets a new id', async () => {
    cluster = await TestCluster.create(2, FAST);
    const leader = await cluster.leader();
    await write(leader, 'a');
    const [gone] = await cluster.followers();
    const { raftId } = gone!.api;
    await leader.api.removeMember(raftId);
    await until(() => gone!.removed === 1, 'it knows');
    await Promise.all(cluster.managers.map((manager) => manager.kill()));
    await gone!.start({ ...FAST, forceNewCluster: true });
    await until(() => gone!.api.isLeader, 'it leads');
    assert.notEqual(gone!.api.raftId, raftId);
    assert.equal(gone!.removed, 1);
    await write(gone!, 'b');
    assert.deepEqual(gone!.machine.texts, ['a', 'b']);
    assert.deepEqual(
      gone!.api.membership().members.map((member) => member.raftId),
      [gone!.api.raftId],
    );
  });

  it('48: a manager that joins again from elsewhere is the same voter at a new address', async () => {
    cluster = await TestCluster.create(3, FAST);
    const leader = await cluster.leader();
    const [mover] = await cluster.followers();
    const { raftId } = mover!.api;
    const before = leader.api.members().map((member) => [member.raftId, member.learner]);
    const elsewhere = new TestManager(mover!.nodeId, await freshDir());
    await elsewhere.listen();
    try {
      const request = { nodeId: mover!.nodeId, addr: elsewhere.addr, raftId };
      const twice = await Promise.all([
        leader.api.addMember(request),
        leader.api.addMember(request),
      ]);
      for (const member of twice) {
        assert.deepEqual([member.raftId, member.addr], [raftId, elsewhere.addr]);
      }
      const after = leader.api.members();
      assert.deepEqual(
        after.map((member) => [member.raftId, member.learner]),
        before,
      );
      assert.equal(after.find((member) => member.raftId === raftId)?.addr, elsewhere.addr);
    } finally {
      await elsewhere.kill();
    }
  });

  it('49: a proposal of the moment in which leadership is lost fails, and only fails', async () => {
    cluster = await TestCluster.create(3, FAST);
    const leader = await cluster.leader();
    await write(leader, 'a');
    const [follower] = await cluster.followers();
    const { raftId } = leader.api;
    const { term } = leader.api.stats();
    const vote = message({
      type: MessageType.Heartbeat,
      from: follower!.api.raftId,
      to: raftId,
      term: term + 5,
    });
    // In one turn of the event loop: the core has stepped down already, and nobody knows it yet.
    leader.api.peers.receive(follower!.api.raftId, [toWire(vote)]);
    assert.equal(leader.api.isLeader, true);
    const outcomes: string[] = [];
    const waits = ['b', 'c'].map((text) =>
      leader.api.propose(Buffer.from(text)).committed.then(
        () => outcomes.push('committed'),
        (error: SwarmError) => outcomes.push(error.code),
      ),
    );
    await Promise.all(waits);
    assert.deepEqual(outcomes, ['SWM_UNAVAILABLE', 'SWM_UNAVAILABLE']);
    const next = await cluster.leader();
    // Entries of others at the same indexes are no success of those.
    await write(next, 'd', 'e', 'f');
    await until(() => leader.machine.texts.length === 4, 'it has what the new leader has');
    assert.deepEqual(leader.machine.texts, ['a', 'd', 'e', 'f']);
  });

  it('50: a leader that hears from nobody gives up, and so do its proposals', async () => {
    cluster = await TestCluster.create(3, FAST);
    const leader = await cluster.leader();
    await Promise.all((await cluster.followers()).map((manager) => manager.kill()));
    const lost = leader.api.propose(Buffer.from('x')).committed;
    await assert.rejects(lost, { code: 'SWM_UNAVAILABLE' });
    assert.equal(leader.api.isLeader, false);
    assert.throws(() => leader.api.propose(Buffer.from('y')), { code: 'SWM_NOT_LEADER' });
  });
});

/** Proposals as a leader registers them, beside what should become of each. */
class ProposalModel {
  readonly proposals = new Proposals({ clock: new VirtualClock() });
  readonly leadership: Leadership;
  readonly #all: { index: number; expected?: string; readonly outcomes: string[] }[] = [];
  #last = 0;
  #applied = 0;
  #term = 0;

  constructor() {
    const onLost = () => this.proposals.rejectAll(new SwarmError('SWM_UNAVAILABLE', 'lost'));
    this.leadership = new Leadership({ logger: silentLogger }, { onLost });
  }

  readonly events: Readonly<Record<string, () => void>> = {
    propose: () => {
      if (!this.leadership.isLeader) return;
      const each = { index: ++this.#last, outcomes: [] as string[] };
      this.#all.push(each);
      this.proposals.add(each.index, 1).then(
        () => each.outcomes.push('applied'),
        () => each.outcomes.push('lost'),
      );
    },
    apply: () => {
      if (this.#applied === this.#last) return;
      this.leadership.applied(++this.#applied);
      this.proposals.applied(this.#applied);
      this.#settle('applied', (index) => index <= this.#applied);
    },
    lose: () => {
      this.leadership.lost();
      this.#settle('lost', () => true);
      // The next leader has entries of its own at the indexes that were not committed.
      this.#last = this.#applied;
    },
    elect: () => {
      this.events['lose']!();
      this.leadership.elected(++this.#term, ++this.#last);
    },
  };

  #settle(how: string, isMeant: (index: number) => boolean): void {
    for (const each of this.#all) {
      if (each.expected === undefined && isMeant(each.index)) each.expected = how;
    }
  }

  check(): void {
    for (const { expected, outcomes } of this.#all) {
      assert.deepEqual(outcomes, expected === undefined ? [] : [expected]);
    }
    const open = this.#all.filter(({ expected }) => expected === undefined);
    assert.equal(this.proposals.bytes, open.length);
  }
}

it('49: each proposal has one outcome, in any order of registering, applying and losing', () => {
  const event = fc.constantFrom('propose', 'propose', 'apply', 'apply', 'lose', 'elect');
  return fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 40, size: 'max' }), async (events) => {
      const model = new ProposalModel();
      for (const each of ['elect', 'apply', ...events]) model.events[each]!();
      await new Promise(setImmediate);
      model.check();
    }),
    { numRuns: 300 },
  );
});

it('50: the core is run with all that it is to be run with', () => {
  const init = { electionTicks: 17, heartbeatTicks: 3 } as ConsensusInit;
  const config = coreConfig({ random: systemRandom, logger: silentLogger }, init, 9);
  const { id, electionTick, heartbeatTick, checkQuorum, preVote, stepDownOnRemoval } = config;
  assert.deepEqual(
    { id, electionTick, heartbeatTick, checkQuorum, preVote, stepDownOnRemoval },
    {
      id: 9,
      electionTick: 17,
      heartbeatTick: 3,
      checkQuorum: true,
      preVote: true,
      stepDownOnRemoval: true,
    },
  );
  assert.equal(config.disableProposalForwarding, true);
  assert.ok(config.maxInflightBytes! >= config.maxSizePerMsg);
});

it('51: a campaign that cannot be is no error, at a manager in whatever state', async () => {
  const { tail, disk } = await snapshotOnDisk(await freshDir());
  try {
    const random = { random: () => 0.5 };
    const shared = coreConfig({ random: systemRandom, logger: silentLogger }, {} as never, MEMBER);
    const start = () =>
      new RawNode({ ...shared, ...random, storage: tail, applied: 100, asyncStorageWrites: true });
    const learner = start();
    learner.campaign();
    for (let i = 0; i < 100; i++) learner.tick();
    assert.equal(learner.status().hardState.term, 3, 'a learner');
    const halted = start();
    halted.step(
      message({ type: MessageType.Heartbeat, from: LEADER, to: MEMBER, term: 3, commit: 999 }),
    );
    assert.match(halted.status().fault ?? '', /out of range/);
    halted.campaign();
    for (let i = 0; i < 100; i++) halted.tick();
    assert.equal(halted.hasReady(), false, 'one that has halted');
  } finally {
    await disk.close();
  }
});
