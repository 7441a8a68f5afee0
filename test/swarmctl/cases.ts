import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { FakeEngine, type Route } from './fake-engine.ts';
import { run } from './run.ts';

/** A command line, what the engine answers, and what must come of it. */
export interface Case {
  readonly args: readonly string[];
  readonly routes?: Readonly<Record<string, Route>>;
  readonly stdin?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Requests in order; unchecked when left out. */
  readonly asked?: readonly string[];
  /** JSON bodies by route. */
  readonly sent?: Readonly<Record<string, unknown>>;
  /** Exact text, lines, or a pattern; nothing when left out. */
  readonly stdout?: string | readonly string[] | RegExp;
  readonly stderr?: string | readonly string[] | RegExp;
  /** 0 when left out. */
  readonly code?: number;
}

/** A test for each case, with one engine for all of them. */
export function testCases(title: string, cases: readonly Case[]): void {
  describe(title, () => {
    let engine: FakeEngine;
    before(async () => {
      engine = await FakeEngine.start();
    });
    after(() => engine.stop());
    for (const one of cases) {
      test(`swarmctl ${one.args.join(' ')}`, () => check(engine, one));
    }
  });
}

async function check(engine: FakeEngine, one: Case): Promise<void> {
  engine.serve(one.routes ?? {});
  const { stdin, env } = one;
  const result = await run(engine, one.args, {
    ...(stdin === undefined ? {} : { stdin }),
    ...(env === undefined ? {} : { env }),
  });
  matches(result.stderr, one.stderr ?? '', 'standard error');
  matches(result.stdout, one.stdout ?? '', 'standard output');
  assert.equal(result.code, one.code ?? 0);
  if (one.asked) assert.deepEqual(engine.asked, one.asked);
  for (const [route, body] of Object.entries(one.sent ?? {})) {
    assert.deepEqual(engine.sent(route), body);
  }
}

function matches(found: string, wanted: string | readonly string[] | RegExp, what: string): void {
  if (wanted instanceof RegExp) assert.match(found, wanted, what);
  else if (typeof wanted === 'string') assert.equal(found, wanted, what);
  else assert.deepEqual(found.split('\n'), [...wanted, ''], what);
}

/** Seconds since the epoch, so long ago. */
export function secondsAgo(seconds: number): number {
  return Math.floor(Date.now() / 1_000) - seconds;
}
