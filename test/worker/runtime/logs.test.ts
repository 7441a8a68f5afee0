import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { systemClock } from '../../../common/clock.ts';
import type { LogLine, LogOptions } from '../../../worker/engine/types.ts';
import { LogFile } from '../../../worker/runtime/io/log-file.ts';
import {
  decodeRecord,
  encodeRecord,
  formatNanos,
  LINE_BYTES_MAX,
  LineSplitter,
  Stamper,
} from '../../../worker/runtime/io/log-format.ts';
import { readLog } from '../../../worker/runtime/io/log-reader.ts';
import { eventually } from '../../support/eventually.ts';

const TIME = formatNanos(Date.parse('2025-11-21T23:44:00.123Z'), 7);

describe('the log format', () => {
  it('is CRI’s', () => {
    assert.equal(
      encodeRecord(TIME, 'stdout', Buffer.from('a line\n')).toString(),
      '2025-11-21T23:44:00.123000007Z stdout F a line\n',
    );
    assert.equal(
      encodeRecord(TIME, 'stderr', Buffer.from('no end')).toString(),
      '2025-11-21T23:44:00.123000007Z stderr P no end\n',
    );
  });

  it('keeps every byte', () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
    fc.assert(
      fc.property(bytes, fc.constantFrom('stdout' as const, 'stderr' as const), (data, stream) => {
        const line = Buffer.from(data.filter((byte) => byte !== 10));
        for (const whole of [line, Buffer.concat([line, Buffer.of(10)])]) {
          const record = encodeRecord(TIME, stream, whole);
          assert.deepEqual(decodeRecord(record.subarray(0, -1)), {
            time: TIME,
            stream,
            data: whole,
          });
        }
      }),
    );
  });

  it('passes over what is no record', () => {
    assert.equal(decodeRecord(Buffer.from('')), undefined);
    assert.equal(decodeRecord(Buffer.from('x'.repeat(60))), undefined);
  });
});

describe('the splitter', () => {
  it('gives the same lines however the stream is cut, and nothing is lost', () => {
    const text = fc.stringMatching(/^([a-c]{0,5}\n?){0,20}$/).map((value) => Buffer.from(value));
    fc.assert(
      fc.property(text, fc.array(fc.nat(100), { maxLength: 10 }), (data, cuts) => {
        const at = [0, ...cuts.map((cut) => Math.min(cut, data.length)), data.length].sort(
          (a, b) => a - b,
        );
        const splitter = new LineSplitter();
        const lines = at
          .slice(1)
          .flatMap((end, index) => splitter.push(data.subarray(at[index], end)));
        lines.push(...splitter.end());
        assert.deepEqual(Buffer.concat(lines), data);
        assert.deepEqual(
          lines.map(String),
          data
            .toString()
            .split(/(?<=\n)/)
            .filter((line) => line !== ''),
        );
      }),
    );
  });

  it('cuts lines that are too long', () => {
    const splitter = new LineSplitter();
    const lines = splitter.push(Buffer.from(`${'x'.repeat(LINE_BYTES_MAX + 10)}\nshort\n`));
    assert.deepEqual(
      lines.map(({ length }) => length),
      [LINE_BYTES_MAX, 11, 6],
    );
  });
});

describe('time stamps', () => {
  it('are different and in order within a millisecond', () => {
    let now = 1_700_000_000_000;
    const stamper = new Stamper(() => now);
    const stamps = [stamper.next(), stamper.next()];
    now++;
    stamps.push(stamper.next());
    assert.deepEqual(
      stamps.map((stamp) => stamp.slice(-13)),
      ['20.000000000Z', '20.000000001Z', '20.001000000Z'],
    );
  });
});

describe('log files', () => {
  let dir: string;
  let path: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'swarm-logs-'));
    path = join(dir, 'container.log');
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  const open = (maxBytes: number, maxFiles: number) =>
    new LogFile(
      { clock: systemClock, stamper: new Stamper(() => Date.now()) },
      { path, maxBytes, maxFiles },
    );
  const read = async (options: Partial<LogOptions> = {}, writer?: LogFile) => {
    const lines: LogLine[] = [];
    const all = { stdout: true, stderr: true, follow: false, ...options };
    for await (const line of readLog(path, writer, all)) lines.push(line);
    return lines.map(({ data }) => data.toString());
  };

  it('rotate, and are read as one from either end', async () => {
    const log = open(1000, 4);
    for (let index = 0; index < 80; index++) {
      log.append(index % 3 === 0 ? 'stderr' : 'stdout', Buffer.from(`line ${index}\n`));
    }
    await log.close();
    assert.equal((await readdir(dir)).length, 4);
    const all = await read();
    assert.equal(all.at(-1), 'line 79\n');
    for (const tail of [0, 1, 5, 21, 40, 1000]) {
      assert.deepEqual(await read({ tail }), tail === 0 ? [] : all.slice(-tail));
    }
    const errors = all.filter((line) => Number(line.slice(5)) % 3 === 0);
    assert.deepEqual(await read({ stdout: false }), errors);
    assert.deepEqual(await read({ stdout: false, tail: 10 }), errors.slice(-10));
  });

  it('are followed over a rotation to the end', async () => {
    const log = open(300, 3);
    log.append('stdout', Buffer.from('first\n'));
    const followed = read({ follow: true }, log);
    for (let index = 0; index < 30; index++) {
      log.append('stdout', Buffer.from(`line ${index}\n`));
      await new Promise((resolve) => setImmediate(resolve));
    }
    log.append('stdout', Buffer.from('no line feed'));
    await log.close();
    const lines = await followed;
    assert.equal(lines[0], 'first\n');
    assert.equal(lines.at(-1), 'no line feed');
    const numbers = lines.slice(1, -1).map((line) => Number(line.slice(5)));
    // Files that rotation removed before they were read are passed over, in order.
    assert.deepEqual(
      numbers,
      [...numbers].sort((a, b) => a - b),
    );
    assert.equal(numbers.at(-1), 29);
  });

  it('stop being followed when nobody wants them any more', async () => {
    const log = open(1000, 2);
    const abort = new AbortController();
    const followed = read({ follow: true, signal: abort.signal }, log);
    log.append('stdout', Buffer.from('x\n'));
    const waits = () => getEventListeners(abort.signal, 'abort').length > 0;
    await eventually(() => assert.ok(waits(), 'it waits for another line'));
    abort.abort();
    assert.deepEqual(await followed, ['x\n']);
    assert.equal(waits(), false);
    await log.close();
  });

  it('are read from and to a time', async () => {
    let now = 1_700_000_000_000;
    const log = new LogFile(
      { clock: systemClock, stamper: new Stamper(() => now) },
      { path, maxBytes: 1e6, maxFiles: 1 },
    );
    for (let index = 0; index < 5; index++, now += 1000) {
      log.append('stdout', Buffer.from(`${index}\n`));
    }
    await log.close();
    const since = 1_700_000_001_000;
    assert.deepEqual(await read({ since }), ['1\n', '2\n', '3\n', '4\n']);
    assert.deepEqual(await read({ since, until: since + 1500 }), ['1\n', '2\n']);
  });
});
