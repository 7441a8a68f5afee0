import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TaskState } from '../../../proto/gen/swarm/types.ts';
import { failureState, nextStep } from '../../../worker/agent/next-step.ts';

/** desired × state → what happens next; `-` is nothing. */
const TABLE = `
          NEW      PENDING  ASSIGNED ACCEPTED  PREPARING READY    STARTING RUNNING  COMPLETE SHUTDOWN FAILED REJECTED ORPHANED
READY     accepted accepted accepted preparing prepare   -        -        -        -        -        -      -        -
RUNNING   accepted accepted accepted preparing prepare   starting start    wait     -        -        -      -        -
COMPLETE  accepted accepted accepted preparing prepare   starting start    wait     -        -        -      -        -
SHUTDOWN  shutdown shutdown shutdown shutdown  shutdown  shutdown shutdown shutdown -        -        -      -        -
REMOVE    shutdown shutdown shutdown shutdown  shutdown  shutdown shutdown shutdown -        -        -      -        -
`;

const byName = (name: string) => TaskState[name as keyof typeof TaskState];

test('every pair of desired and observed state has its next step', () => {
  const [header = '', ...rows] = TABLE.trim().split('\n');
  const states = header.trim().split(/\s+/);
  for (const row of rows) {
    const [desired = '', ...cells] = row.split(/\s+/);
    for (const [i, state] of states.entries()) {
      const step = nextStep(byName(desired), byName(state));
      const got =
        step.kind === 'idle' ? '-' : step.kind === 'enter' ? step.message : step.operation;
      assert.equal(got, cells[i], `desired ${desired}, observed ${state}`);
    }
  }
});

test('a step never goes back', () => {
  for (const desired of Object.values(TaskState).filter((s) => typeof s === 'number')) {
    for (const state of Object.values(TaskState).filter((s) => typeof s === 'number')) {
      const step = nextStep(desired as TaskState, state as TaskState);
      if (step.kind !== 'idle') assert.ok(step.state > (state as TaskState), `${desired} ${state}`);
    }
  }
});

test('what fails before it was started is rejected', () => {
  assert.equal(failureState(TaskState.ASSIGNED), TaskState.REJECTED);
  assert.equal(failureState(TaskState.READY), TaskState.REJECTED);
  assert.equal(failureState(TaskState.STARTING), TaskState.FAILED);
  assert.equal(failureState(TaskState.RUNNING), TaskState.FAILED);
});
