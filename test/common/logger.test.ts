import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

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

test('what grpc-js says is a line of the log, and nothing on stderr', () => {
  const [line] = linesOf(`
    import { Server, ServerCredentials } from '@grpc/grpc-js';
    import { setGrpcLogger } from './common/grpc-log.ts';
    setGrpcLogger(createLogger('info'));
    // An address that is none of this machine.
    new Server().bindAsync('192.0.2.1:2377', ServerCredentials.createInsecure(), () => {});
  `);
  assert.match(line ?? '', /"level":40,.*"module":"grpc","msg":"No address added/);
});

/** What a process logs that runs `code`; its logger writes to standard output. */
function linesOf(code: string): string[] {
  const script = `import { createLogger } from './common/logger.ts';\n${code}`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  return stdout.trim().split('\n');
}
