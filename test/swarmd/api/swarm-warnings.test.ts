import assert from 'node:assert/strict';
import { test } from 'node:test';
import { swarmWarnings } from '../../../swarmd/api/convert/swarm-warnings.ts';
import { member } from '../../manager/control/fixture.ts';

/** `up` managers that can be reached, this one among them, and `down` that cannot. */
function managers(up: number, down = 0) {
  return Array.from({ length: up + down }, (_, i) => member(i + 1, `node-${i}`, i < up));
}

const said = (up: number, down = 0) => swarmWarnings(managers(up, down)).join('\n');

test('an odd number of managers that are all there is as it should be', () => {
  for (const up of [1, 3, 5, 7]) assert.equal(said(up), '');
});

test('an even number of managers is told what it is worth', () => {
  assert.match(said(2), /^WARNING: Running Swarm in a two-manager configuration/);
  assert.match(
    said(4),
    /even number of managers \(4\)[\s\S]* loss of\s+1, as 3 would.* make it 2\.$/,
  );
  assert.match(said(6), /\(6\)[\s\S]*\s2, as 5 would/);
});

test('the last failure that is tolerated is told before it is the next', () => {
  assert.match(said(2, 1), /^WARNING: 1 of 3 managers cannot be reached: if one more fails/);
  assert.equal(said(4, 1), '');
  assert.match(said(3, 2), /2 of 5 managers cannot be reached/);
  assert.match(said(3, 1), /even number[\s\S]*1 of 4 managers cannot be reached/);
});

test('a quorum that is lost is told as lost', () => {
  assert.match(said(1, 2), /Only 1 of 3 managers can be reached, and it takes 2/);
  assert.match(said(1, 1), /two-manager configuration[\s\S]*Only 1 of 2/);
});

test('who does not vote does not count', () => {
  const learner = { ...member(9, 'new', false), learner: true };
  assert.deepEqual(swarmWarnings([...managers(3), learner]), []);
});
