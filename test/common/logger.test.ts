import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

/** The logger writes to the standard output of its process. */
function linesOf(code: string): string[] {
  const script = `import { createLogger } from './common/logger.ts';\n${code}`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trim().split('\n');
}

test('a line names its innermost module once, and keeps what else its loggers have', () => {
  const [plain, line] = linesOf(`
    const node = createLogger('info').child({ module: 'node', id: 'n1' });
    node.info('here');
    node.child({ module: 'consensus' }).child({ module: 'raft', term: 3 }).info('there');
  `);
  assert.match(plain ?? '', /"module":"node","id":"n1","msg":"here"}$/);
  assert.match(
    line ?? '',
    /^{"level":30,"time":"[^"]*","module":"raft","id":"n1","term":3,"msg":"there"}$/,
  );
});
