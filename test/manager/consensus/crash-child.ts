/**
 * A single manager that writes numbers until it is killed. It reports how many it found at its start,
 * and each one whose entry was applied.
 */
import { TestManager, until } from './harness.ts';

const manager = new TestManager('node-0', process.argv[2]!);
manager.machine.padding = 300_000;
await manager.start({ bootstrap: true, snapshotPolicy: { interval: 60, keep: 5 } });
await until(() => manager.api.isLeader, 'it leads');
process.send!({ found: manager.machine.texts });
let next = manager.machine.texts.length;
for (;;) {
  const batch = Array.from({ length: 5 }, () => `${next++}`);
  const proposals = batch.map((text) => manager.api.propose(Buffer.from(text)));
  await Promise.all(proposals.map(({ committed }) => committed));
  process.send!({ written: next });
}
