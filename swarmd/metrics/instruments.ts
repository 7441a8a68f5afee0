import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

const DELAY_BUCKETS = [0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5];
const GC_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5];
const PROPOSAL_BUCKETS = [
  ...[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15],
  ...[0.25, 0.5, 1, 2.5, 5],
];

/** Every metric of the daemon; docs/metrics.md explains each. */
export function createInstruments(registry: Registry) {
  const registers = [registry];
  const gauge = <T extends string>(name: string, help: string, ...labelNames: T[]) =>
    new Gauge({ name, help, labelNames, registers });
  return {
    eventLoop: {
      delay: new Histogram({
        name: 'swarm_event_loop_delay_seconds',
        help: 'Longest time in each tenth of a second for which the event loop served nobody.',
        buckets: DELAY_BUCKETS,
        registers,
      }),
      stretches: new Counter({
        name: 'swarm_event_loop_stretches_total',
        help: 'Times of more than 50 ms for which the event loop served nobody, by cause.',
        labelNames: ['cause'],
        registers,
      }),
      longest: gauge(
        'swarm_event_loop_delay_max_seconds',
        'Longest time since the last scrape for which the event loop served nobody.',
      ),
      work: gauge(
        'swarm_event_loop_work_max_seconds',
        'The same, without waits for a processor and the longest pause of the collector.',
      ),
      gcPause: new Histogram({
        name: 'swarm_gc_pause_seconds',
        help: 'Pauses of the garbage collector, by kind.',
        labelNames: ['kind'],
        buckets: GC_BUCKETS,
        registers,
      }),
      longestGcPause: gauge(
        'swarm_gc_pause_max_seconds',
        'Longest pause of the garbage collector since the last scrape.',
      ),
    },
    /** As in `ManagerStats`, under the same names. */
    log: {
      term: gauge('swarm_raft_term', 'Term of Raft.'),
      commitIndex: gauge('swarm_raft_commit_index', 'Last entry that is committed.'),
      appliedIndex: gauge('swarm_raft_applied_index', 'Last entry that the store has.'),
      firstIndex: gauge('swarm_raft_first_index', 'First entry that is kept in the log.'),
      lastIndex: gauge('swarm_raft_last_index', 'Last entry of the log.'),
      snapshotIndex: gauge('swarm_raft_snapshot_index', 'Last entry in the newest snapshot.'),
      logBytes: gauge('swarm_raft_log_bytes', 'Memory of the entries that are kept.'),
      pendingBytes: gauge('swarm_raft_pending_bytes', 'Proposals that are not yet applied.'),
    },
    raft: {
      isLeader: gauge('swarm_raft_is_leader', '1 on the manager that leads.'),
      hasLeader: gauge('swarm_raft_has_leader', '1 while this manager knows of a leader.'),
      applyLag: gauge('swarm_raft_apply_lag_entries', 'Entries committed and not yet applied.'),
      members: gauge(
        'swarm_raft_members',
        'Managers, by their part and whether they answer.',
        'role',
        'reachable',
      ),
      proposal: new Histogram({
        name: 'swarm_raft_proposal_seconds',
        help: 'Time from a proposal of this manager until it is committed and applied here.',
        buckets: PROPOSAL_BUCKETS,
        registers,
      }),
    },
    store: {
      objects: gauge('swarm_store_objects', 'Objects of the swarm, by kind.', 'kind'),
      tasks: gauge('swarm_store_tasks', 'Tasks, by observed state.', 'state'),
    },
    process: {
      cpu: new Counter({
        name: 'process_cpu_seconds_total',
        help: 'Processor time of the daemon.',
        registers,
      }),
      start: gauge('process_start_time_seconds', 'When the daemon started, seconds of Unix.'),
      rss: gauge('process_resident_memory_bytes', 'Resident memory of the daemon.'),
      heapUsed: gauge('nodejs_heap_size_used_bytes', 'JavaScript heap in use.'),
      heapTotal: gauge('nodejs_heap_size_total_bytes', 'JavaScript heap.'),
      external: gauge('nodejs_external_memory_bytes', 'Memory of buffers outside the heap.'),
    },
  };
}

export type Instruments = ReturnType<typeof createInstruments>;
