import { readdir, readFile } from 'node:fs/promises';
import { afterEach, type TestContext } from 'node:test';

const LINES_PER_HOST = 30;
const LINE_LIMIT = 300;

/** Node has `passed` since 20.12, its types do not. */
interface EndedTest extends TestContext {
  readonly passed: boolean;
}

/** Has what the hosts below `directory` logged last said with each test that fails: they will be gone. */
export function tellLogsOfFailures(directory: string): void {
  afterEach(async (context) => {
    const t = context as EndedTest;
    if (t.passed) return;
    for (const host of (await readdir(directory).catch(() => [])).sort()) {
      for (const line of await lastLines(`${directory}/${host}/swarmd.log`)) {
        t.diagnostic(`${host} ${line}`);
      }
    }
  });
}

async function lastLines(file: string): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.slice(-LINES_PER_HOST).map(readable);
}

/** One of pino's lines without what all have; what is none, as an error of Node, stays as it is. */
function readable(line: string): string {
  try {
    const { time, msg, level: _level, pid: _pid, hostname: _host, ...rest } = JSON.parse(line);
    return `${time} ${msg} ${JSON.stringify(rest)}`.slice(0, LINE_LIMIT);
  } catch {
    return line.slice(0, LINE_LIMIT);
  }
}
