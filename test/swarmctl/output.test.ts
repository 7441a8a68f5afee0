import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { toTimestamp } from '../../swarmctl/options/parse.ts';
import { cpuPercent, memoryOf, statsColumns } from '../../swarmctl/output/container-stats.ts';
import { humanDuration, humanSize } from '../../swarmctl/output/human.ts';
import { displayPorts } from '../../swarmctl/output/ports.ts';
import { renderTable } from '../../swarmctl/output/table.ts';

const port = (PrivatePort: number, PublicPort?: number, IP?: string, Type = 'tcp') => ({
  PrivatePort,
  Type,
  ...(PublicPort === undefined ? {} : { PublicPort }),
  ...(IP === undefined ? {} : { IP }),
});

describe('ports of containers', () => {
  const cases: readonly [Parameters<typeof displayPorts>[0], string][] = [
    [[], ''],
    [[port(443), port(80)], '80/tcp, 443/tcp'],
    [[port(81), port(80), port(82)], '80-82/tcp'],
    [[port(53, undefined, undefined, 'udp'), port(53)], '53/tcp, 53/udp'],
    [[port(80, 8080, '::'), port(80, 8080, '0.0.0.0')], '0.0.0.0:8080->80/tcp, [::]:8080->80/tcp'],
    [[port(81, 8081, '0.0.0.0'), port(80, 8080, '0.0.0.0')], '0.0.0.0:8080-8081->80-81/tcp'],
    [
      [port(80, 8080, '0.0.0.0'), port(81, 9000, '0.0.0.0'), port(82)],
      '0.0.0.0:8080->80/tcp, 0.0.0.0:9000->81/tcp, 82/tcp',
    ],
  ];
  for (const [ports, text] of cases) {
    test(text || 'none', () => assert.equal(displayPorts(ports), text));
  }
});

test('tables: columns of at least ten, three spaces between, none at the end', () => {
  const table = renderTable(
    ['A', 'LONG HEADER', 'C'],
    [
      ['1', '2', 'x'],
      ['a longer cell', '', ''],
    ],
  );
  assert.deepEqual(table.split('\n'), [
    'A               LONG HEADER   C',
    '1               2             x',
    'a longer cell',
  ]);
});

test('durations and sizes, in words', () => {
  const seconds: readonly [number, string][] = [
    [0.4, 'Less than a second'],
    [1, '1 second'],
    [59, '59 seconds'],
    [60, 'About a minute'],
    [45 * 60, '45 minutes'],
    [46 * 60, 'About an hour'],
    [47 * 3600, '47 hours'],
    [48 * 3600, '2 days'],
    [14 * 24 * 3600, '2 weeks'],
    [90 * 24 * 3600, '3 months'],
    [800 * 24 * 3600, '2 years'],
  ];
  for (const [duration, text] of seconds) assert.equal(humanDuration(duration * 1_000), text);
  assert.deepEqual([0, 999, 2_040_000, 1.5e9].map(humanSize), ['0B', '999B', '2.04MB', '1.5GB']);
});

test('times for the API', () => {
  const now = Date.parse('2024-01-01T00:01:00Z');
  assert.equal(toTimestamp(undefined, now), undefined);
  assert.equal(toTimestamp('1700000000.5', now), '1700000000.5');
  assert.equal(toTimestamp('1m', now), '1704067200.000000000');
  assert.equal(toTimestamp('2024-01-01T00:00:00.25Z', now), '1704067200.250000000');
  assert.equal(toTimestamp('yesterday', now), 'yesterday');
});

describe('stats', () => {
  const cpu = (total_usage: number, system_cpu_usage: number) => ({
    cpu_usage: { total_usage },
    system_cpu_usage,
    online_cpus: 2,
  });

  test('of a container that runs, and of one that does not', () => {
    const sample = {
      cpu_stats: cpu(300, 1_000),
      precpu_stats: cpu(100, 800),
      memory_stats: {
        usage: 3 * 1024 ** 2,
        limit: 10 * 1024 ** 2,
        stats: { inactive_file: 1024 ** 2 },
      },
      networks: { eth0: { rx_bytes: 1_000, tx_bytes: 10 }, eth1: { rx_bytes: 500, tx_bytes: 10 } },
      blkio_stats: {
        io_service_bytes_recursive: [
          { op: 'Read', value: 5 },
          { op: 'write', value: 7 },
        ],
      },
      pids_stats: { current: 4 },
    };
    const row = (one: typeof sample | undefined) =>
      statsColumns(true)
        .filter(({ hidden }) => !hidden)
        .map(({ value }) => value({ id: 'c'.repeat(64), name: 'web', sample: one }));
    assert.deepEqual(row(sample), [
      'cccccccccccc',
      'web',
      '200.00%',
      '2MiB / 10MiB',
      '20.00%',
      '1.5kB / 20B',
      '5B / 7B',
      '4',
    ]);
    assert.deepEqual(row(undefined).slice(1), ['web', '--', '--', '--', '--', '--', '--']);
  });

  test('without a reading before there is no rate', () => {
    assert.equal(cpuPercent({ cpu_stats: cpu(300, 1_000) }), 0);
    assert.equal(cpuPercent({}), 0);
    assert.equal(memoryOf({ memory_stats: { usage: 5, stats: { inactive_file: 9 } } }), 5);
  });
});
