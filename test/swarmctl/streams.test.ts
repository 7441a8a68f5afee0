import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DetachWatcher, parseDetachKeys } from '../../swarmctl/container/detach-keys.ts';
import { FrameParser } from '../../swarmctl/container/frames.ts';
import { ProgressPrinter } from '../../swarmctl/output/json-progress.ts';
import { DetachParser, parseDetachKeys as serverKeys } from '../../worker/engine/detach-keys.ts';
import { frame } from './fake-engine.ts';

const stream = fc.constantFrom('stdout' as const, 'stderr' as const, 'error' as const);

/** Cuts bytes into chunks at the given places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort(
    (a, b) => a - b,
  );
  return [...ends, bytes.length].map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

describe('frames', () => {
  test('come out as they went in, wherever the stream is cut', () => {
    const frames = fc.array(
      fc.record({ stream, text: fc.string({ unit: 'grapheme' }) }, { noNullPrototype: true }),
    );
    fc.assert(
      fc.property(frames, fc.array(fc.nat()), (sent, places) => {
        const bytes = Buffer.concat(sent.map(({ stream, text }) => frame(stream, text)));
        const parser = new FrameParser();
        const found = cut(bytes, places).flatMap((chunk) => parser.push(chunk));
        assert.deepEqual(
          found.map(({ stream, data }) => ({ stream, text: data.toString() })),
          sent,
        );
      }),
    );
  });

  test('what is no multiplexed stream is told', () => {
    assert.throws(
      () => new FrameParser().push(Buffer.from('plain text')),
      /unrecognized stream: 112/,
    );
  });
});

describe('detach keys', () => {
  test('are read as the server reads them', () => {
    for (const text of ['ctrl-p,ctrl-q', 'a', 'ctrl-a,a', 'DEL', 'ctrl-@,ctrl-[,ctrl-\\']) {
      assert.deepEqual(parseDetachKeys(text), serverKeys(text), text);
    }
    assert.deepEqual(parseDetachKeys(undefined), [16, 17]);
    assert.deepEqual(parseDetachKeys(''), [16, 17]);
    assert.throws(() => parseDetachKeys('ctrl-pq'), /invalid detach keys \(ctrl-pq\)/);
    assert.throws(() => parseDetachKeys('ctrl-1'), /invalid detach keys/);
  });

  test('are seen when the server sees them, however they are typed', () => {
    const key = fc.constantFrom(16, 17, 97);
    fc.assert(
      fc.property(
        fc.array(key, { minLength: 1, maxLength: 3 }),
        fc.array(fc.array(key)),
        (keys, chunks) => {
          const watcher = new DetachWatcher(keys);
          const server = new DetachParser(keys);
          let detached = false;
          for (const chunk of chunks.map((bytes) => Buffer.from(bytes))) {
            if (!detached) detached = server.push(chunk).detached;
            watcher.write(chunk);
            if (chunk.length > 0) assert.deepEqual(watcher.read(), chunk);
          }
          assert.equal(watcher.typed, detached);
        },
      ),
    );
  });
});

describe('progress', () => {
  const steps = [
    { status: 'Pulling from library/x', id: 'latest' },
    { status: 'Pulling fs layer', id: 'a', progressDetail: {} },
    { status: 'Pulling fs layer', id: 'b', progressDetail: {} },
    { status: 'Downloading', id: 'a', progressDetail: { current: 5e5, total: 1e6 } },
    { status: 'Pull complete', id: 'b', progressDetail: {} },
    { status: 'Downloading', id: 'a', progressDetail: { current: 1e6, total: 1e6 } },
    { status: 'Status: done' },
  ];

  function shown(isTerminal: boolean, columns = 80): string {
    let text = '';
    const write = (chunk: string) => {
      text += chunk;
      return true;
    };
    const stream = { columns, write };
    const printer = new ProgressPrinter({ stream: stream as never, isTerminal });
    for (const step of steps) printer.print(step);
    return text;
  }

  test('in a file: a line for each step, none for parts of one', () => {
    assert.equal(
      shown(false),
      'latest: Pulling from library/x\na: Pulling fs layer\nb: Pulling fs layer\n' +
        'b: Pull complete\nStatus: done\n',
    );
  });

  test('on a terminal: a line for each layer, rewritten where it is', () => {
    assert.deepEqual(screen(shown(true)), [
      'latest: Pulling from library/x',
      `a: Downloading [${'='.repeat(50)}] 1MB/1MB`,
      'b: Pull complete',
      'Status: done',
    ]);
  });

  test('lines are cut at the edge, since a wrapped one could not be rewritten', () => {
    assert.deepEqual(screen(shown(true, 20)), [
      'latest: Pulling from library/x',
      'a: Downloading [===',
      'b: Pull complete',
      'Status: done',
    ]);
  });

  /** What a terminal shows after the text, as far as progress moves its cursor. */
  function screen(text: string): string[] {
    const lines = [''];
    let row = 0;
    for (const [part] of text
      .replaceAll('\x1b[', '^')
      .matchAll(/\^(\d+)?([ABK])|[\r\n]|[^^\r\n]+/g)) {
      const [, count, move] = /^\^(\d+)?([ABK])$/.exec(part) ?? [];
      if (move === 'A') row -= Number(count);
      else if (move === 'B') row += Number(count);
      else if (move === 'K') lines[row] = '';
      else if (part === '\n') row += 1;
      else if (part !== '\r') lines[row] = (lines[row] ?? '') + part;
    }
    return lines;
  }
});
