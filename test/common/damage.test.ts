import assert from 'node:assert/strict';
import { test } from 'node:test';
import { getSystemErrorMap } from 'node:util';
import { isDiskTrouble } from '../../common/damage.ts';

const texts = new Map(getSystemErrorMap().values());

// A simulated manager that began while its disk was full said that its log was damaged.
test('a disk that refuses is no damage, in the words of Node', () => {
  for (const code of ['ENOSPC', 'EROFS', 'EMFILE', 'ENFILE', 'EACCES']) {
    const message = `${code}: ${texts.get(code)}, write`;
    assert.ok(isDiskTrouble(message), message);
  }
});

test('a disk that refuses is no damage, in the words of LevelDB', () => {
  for (const text of ['No space left on device', 'Read-only file system', 'Permission denied']) {
    assert.ok(isDiskTrouble(`IO error: /var/lib/swarm/raft/log/000005.log: ${text}`), text);
  }
});

test('anything else may be damage', () => {
  assert.ok(!isDiskTrouble('Corruption: checksum mismatch'));
  assert.ok(!isDiskTrouble(`EIO: ${texts.get('EIO')}, read`));
});
