import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Changer } from '../../manager/raft/confchange/changer.ts';
import { isSameConfState, restore } from '../../manager/raft/confchange/restore.ts';
import {
  type ConfChangeSingle,
  ConfChangeTransition,
  ConfChangeType,
  type ConfState,
  decodeConfChange,
  describeConfChanges,
  EntryType,
  ErrConfChange,
  ErrDecode,
  encodeConfChange,
  parseConfChanges,
} from '../../manager/raft/index.ts';
import { confState, describeConfig } from '../../manager/raft/tracker/config.ts';
import { describeProgressMap, ProgressTracker } from '../../manager/raft/tracker/tracker.ts';

const types = fc.constantFrom(...Object.values(ConfChangeType));
const single: fc.Arbitrary<ConfChangeSingle> = fc.record({
  type: types,
  nodeId: fc.integer({ min: 2, max: 6 }),
});

function trackerWith(...changes: string[]): ProgressTracker {
  const tracker = new ProgressTracker(10, 0);
  for (const change of ['v1', ...changes]) {
    const { config, progress } = new Changer(tracker, 10).simple(parseConfChanges(change));
    tracker.use(config, progress);
  }
  return tracker;
}

function describeTracker(tracker: ProgressTracker): string {
  return `${describeConfig(tracker.config)}\n${describeProgressMap(tracker.progress)}`;
}

test('a transition entered and left gives what the changes give one by one', () => {
  fc.assert(
    fc.property(
      fc.array(single, { maxLength: 5 }),
      fc.array(single, { minLength: 1, maxLength: 9 }),
      fc.boolean(),
      (setup, changes, autoLeave) => {
        const stepwise = trackerWith();
        const atOnce = trackerWith();
        const simple = (tracker: ProgressTracker, change: ConfChangeSingle) => {
          const changed = new Changer(tracker, 10).simple([change]);
          tracker.use(changed.config, changed.progress);
        };
        for (const change of setup) {
          simple(stepwise, change);
          simple(atOnce, change);
        }
        for (const change of changes) simple(stepwise, change);
        const entered = new Changer(atOnce, 10).enterJoint(autoLeave, changes);
        atOnce.use(entered.config, entered.progress);
        assert.equal(atOnce.config.autoLeave, autoLeave);
        const left = new Changer(atOnce, 10).leaveJoint();
        atOnce.use(left.config, left.progress);
        assert.equal(describeTracker(atOnce), describeTracker(stepwise));
      },
    ),
    { numRuns: 1_000 },
  );
});

test('every reachable configuration survives being stored and restored', () => {
  fc.assert(
    fc.property(
      fc.array(single, { maxLength: 5 }),
      fc.option(fc.array(single, { minLength: 1, maxLength: 6 })),
      fc.boolean(),
      (setup, joint, autoLeave) => {
        const tracker = trackerWith();
        for (const change of setup) {
          const changed = new Changer(tracker, 10).simple([change]);
          tracker.use(changed.config, changed.progress);
        }
        if (joint !== null) {
          const changed = new Changer(tracker, 10).enterJoint(autoLeave, joint);
          tracker.use(changed.config, changed.progress);
        }
        const stored: ConfState = confState(tracker.config);
        const restored = restore(new ProgressTracker(10, 0), 10, stored);
        assert.ok(isSameConfState(stored, confState(restored.config)));
        assert.equal(describeConfig(restored.config), describeConfig(tracker.config));
      },
    ),
    { numRuns: 1_000 },
  );
});

test('a refused change leaves everything as it was', () => {
  const tracker = trackerWith('v2', 'l3');
  const before = describeTracker(tracker);
  const changer = new Changer(tracker, 10);
  const refused = [
    () => changer.simple(parseConfChanges('v4 v5')),
    () => changer.simple(parseConfChanges('r1 r2')),
    () => changer.enterJoint(true, parseConfChanges('r1 r2')),
    () => changer.leaveJoint(),
    () => new Changer(new ProgressTracker(10, 0), 1).enterJoint(true, parseConfChanges('v1')),
  ];
  for (const change of refused) assert.throws(change, ErrConfChange);
  assert.equal(describeTracker(tracker), before);
});

test('26: a node that is new counts as active', () => {
  assert.equal(trackerWith('v2').progress.get(2)?.recentActive, true);
});

const change = fc.record(
  { type: types, nodeId: fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }) },
  { noNullPrototype: true },
);
const context = fc.option(fc.uint8Array({ minLength: 1, maxLength: 40 }), { nil: undefined });

test('both versions of a change survive encoding', () => {
  fc.assert(
    fc.property(change, context, (each, about) => {
      const v1 = { ...each, context: about };
      assert.deepEqual(
        decodeConfChange({ type: EntryType.ConfChange, data: encodeConfChange(v1) }),
        v1,
      );
    }),
  );
  fc.assert(
    fc.property(
      fc.constantFrom(...Object.values(ConfChangeTransition)),
      fc.array(change, { maxLength: 300 }),
      context,
      (transition, changes, about) => {
        const v2 = { transition, changes, context: about };
        const decoded = decodeConfChange({
          type: EntryType.ConfChangeV2,
          data: encodeConfChange(v2),
        });
        assert.deepEqual({ context: undefined, ...decoded }, v2);
      },
    ),
  );
});

test('the change that leaves a transition takes no bytes', () => {
  const leave = { transition: ConfChangeTransition.Auto, changes: [] };
  assert.equal(encodeConfChange(leave).length, 0);
  assert.equal(encodeConfChange({ ...leave, context: new Uint8Array(0) }).length, 0);
  assert.deepEqual(decodeConfChange({ type: EntryType.ConfChangeV2 }), leave);
});

test('bytes that are no change are refused, whatever they are', () => {
  const cases: readonly (readonly [EntryType, number[]])[] = [
    [EntryType.Normal, [1, 0, 1]],
    [EntryType.Normal, []],
    [EntryType.ConfChange, []],
    [EntryType.ConfChange, [2, 0, 1]],
    [EntryType.ConfChange, [1, 9, 1]],
    [EntryType.ConfChange, [1, 0, 0x80]],
    [EntryType.ConfChange, [1, 0, ...new Array<number>(8).fill(0xff), 1]],
    [EntryType.ConfChangeV2, [2, 3, 0]],
    [EntryType.ConfChangeV2, [2, 0, 2, 0, 1]],
  ];
  for (const [type, data] of cases) {
    assert.throws(() => decodeConfChange({ type, data: Uint8Array.from(data) }), ErrDecode);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 30 }), (data) => {
      try {
        decodeConfChange({ type: EntryType.ConfChangeV2, data });
      } catch (error) {
        assert.ok(error instanceof ErrDecode);
      }
    }),
  );
});

test('changes as text', () => {
  const text = 'v1 r2 u3 l40';
  const changes = parseConfChanges(` v1\tr2  u3\nl40 `);
  assert.deepEqual(
    changes.map(({ type, nodeId }) => [type, nodeId]),
    [
      [ConfChangeType.AddNode, 1],
      [ConfChangeType.RemoveNode, 2],
      [ConfChangeType.UpdateNode, 3],
      [ConfChangeType.AddLearnerNode, 40],
    ],
  );
  assert.equal(describeConfChanges(changes), text);
  assert.deepEqual(parseConfChanges(''), []);
  for (const wrong of ['x1', 'v', '1', 'vv1', 'v1x', 'v-1', 'v1,l2', 'v9007199254740992']) {
    assert.throws(
      () => parseConfChanges(`v1 ${wrong}`),
      (error) => error instanceof ErrDecode && error.message.startsWith(`"${wrong}" is no conf`),
    );
  }
});
