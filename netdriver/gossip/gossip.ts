import type { Clock, Timer } from '../../common/clock.ts';
import { errorMessage } from '../../common/errors.ts';
import type { Logger } from '../../common/logger.ts';
import { type Random, shuffled } from '../../common/random.ts';
import type { GossipPeer } from '../../proto/gen/swarm/dispatcher.ts';
import {
  ClusterGossip,
  type GossipRow,
  GossipRows,
  type MemberState,
  type MemberState_Liveness,
  Probe,
  ProbeAck,
  SyncRequest,
  SyncResponse,
} from '../../proto/gen/swarm/gossip.ts';
import type { SwarmIdentity } from '../types.ts';
import { Attendance } from './attendance.ts';
import {
  CLUSTER_TOPIC,
  COALESCE_MS,
  MESSAGE_BYTES_MAX,
  networkTopic,
  PROBE_INTERVAL_MS,
  PROBE_TIMEOUT_MS,
  REAP_INTERVAL_MS,
  SYNC_INTERVAL_MS,
} from './constants.ts';
import {
  type Effect,
  FailureDetector,
  type Liveness,
  type LivenessClaim,
} from './failure-detector.ts';
import { FirstSyncs } from './first-syncs.ts';
import { Tables } from './tables.ts';
import type { GossipTransport, RequestProtocol } from './transport.ts';
import type {
  GossipApi,
  GossipChange,
  GossipMember,
  GossipTable,
  GossipTableRow,
} from './types.ts';

const SYNC_TIMEOUT_MS = 10_000;
const GOODBYE_TIMEOUT_MS = 1_000;
const TICK_MS = COALESCE_MS;
/** Peers that are asked for their rows when a network is joined. */
const SYNC_ON_JOIN = 3;

export interface GossipComponents {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Makes the transport of one membership in a swarm. */
  readonly transport: (identity: SwarmIdentity) => GossipTransport;
}

/** What exists while this node is a member of a swarm. */
interface Session {
  readonly identity: SwarmIdentity;
  readonly transport: GossipTransport;
  readonly tables: Tables;
  readonly detector: FailureDetector;
  readonly attendance: Attendance;
  readonly firstSyncs: FirstSyncs;
  readonly abort: AbortController;
  peers: readonly GossipPeer[];
  /** Rows and claims that go out with the next tick. */
  outbox: Map<string, GossipRow[]>;
  claims: MemberState[];
  timer: Timer | undefined;
  nextSyncAt: number;
  nextReapAt: number;
}

/**
 * Dissemination by gossipsub, failure detection by SWIM probes, repair by anti-entropy: what
 * memberlist and NetworkDB do for Docker. The decisions are in `Tables`, `FailureDetector` and
 * `Attendance`; this class moves bytes and time between them.
 */
export class Gossip implements GossipApi {
  private readonly components: GossipComponents;
  private readonly rowListeners = new Set<
    (networkId: string, changes: readonly GossipChange[]) => void
  >();
  private readonly memberListeners = new Set<(nodeId: string, alive: boolean) => void>();
  private session: Session | undefined;
  /** Undefined until a manager has told them. */
  private peers: readonly GossipPeer[] | undefined;

  constructor(components: GossipComponents) {
    this.components = components;
  }

  async start(identity: SwarmIdentity): Promise<void> {
    if (this.session) throw new Error('gossip was started already');
    const { clock, random } = this.components;
    const selfId = identity.nodeId;
    const now = clock.monotonic();
    const session: Session = {
      identity,
      transport: this.components.transport(identity),
      tables: new Tables(selfId, clock.now()),
      detector: new FailureDetector({ random }, { selfId, incarnation: clock.now() }),
      attendance: new Attendance(),
      firstSyncs: new FirstSyncs(),
      abort: new AbortController(),
      peers: [],
      outbox: new Map(),
      claims: [],
      timer: undefined,
      nextSyncAt: now + random.float() * SYNC_INTERVAL_MS,
      nextReapAt: now + REAP_INTERVAL_MS,
    };
    await session.transport.start({
      message: (topic, from, data) => this.onMessage(session, topic, from, data),
      request: async (protocol, from, data) => this.onRequest(session, protocol, from, data),
      connected: (nodeId) => this.syncWith(session, nodeId),
      disconnected: (nodeId) => session.detector.hint(nodeId),
    });
    session.transport.subscribe(CLUSTER_TOPIC);
    this.session = session;
    if (this.peers) this.setPeers(this.peers);
    this.scheduleTick(session);
  }

  async stop(options: { leave: boolean } = { leave: true }): Promise<void> {
    const session = this.session;
    if (!session) return;
    this.session = undefined;
    session.timer?.cancel();
    if (options.leave) await this.sayGoodbye(session);
    session.firstSyncs.stop();
    session.abort.abort(new Error('gossip stopped'));
    await session.transport.stop();
  }

  /** Told to each peer by request: a message published on the way out might not leave any more. */
  private async sayGoodbye(session: Session): Promise<void> {
    const now = this.components.clock.monotonic();
    const rows = session.tables.joined().flatMap((id) => session.tables.leave(id, now));
    const members = [selfState(session, 'left')];
    const data = SyncRequest.encode({ members, networks: [], rows }).finish();
    await Promise.allSettled(
      session.peers
        .filter((peer) => session.transport.isConnected(peer.nodeId))
        .map((peer) =>
          this.request(session, peer.nodeId, '/swarm/sync/1', data, GOODBYE_TIMEOUT_MS),
        ),
    );
  }

  setPeers(peers: readonly GossipPeer[]): void {
    this.peers = peers;
    const session = this.session;
    if (!session) return;
    session.peers = peers;
    const others = peers.filter((peer) => peer.nodeId !== session.identity.nodeId);
    session.firstSyncs.peersKnown(others.length, this.components.clock.monotonic());
    const ids = [...peers.map((peer) => peer.nodeId), session.identity.nodeId];
    session.detector.setMembers(ids);
    session.attendance.keep(ids);
    session.transport.setPeers(others);
    this.announceAll(session.tables.forgetOwners((owner) => ids.includes(owner)));
  }

  joinNetwork(networkId: string): void {
    const session = this.active();
    if (!session.tables.join(networkId)) return;
    session.firstSyncs.joined(networkId, this.components.clock.monotonic());
    session.transport.subscribe(networkTopic(networkId));
    this.tellAttendance(session);
    const isOther = (nodeId: string) => nodeId !== session.identity.nodeId;
    const attending = session.attendance
      .of(networkId)
      .filter((id) => isOther(id) && session.transport.isConnected(id));
    const everyone = session.peers.map((peer) => peer.nodeId).filter(isOther);
    const candidates = attending.length > 0 ? attending : everyone;
    for (const nodeId of shuffled(this.components.random, candidates).slice(0, SYNC_ON_JOIN)) {
      this.syncWith(session, nodeId);
    }
  }

  leaveNetwork(networkId: string): void {
    const session = this.active();
    if (!session.tables.has(networkId)) return;
    queueRows(session, session.tables.leave(networkId, this.components.clock.monotonic()));
    this.tellAttendance(session);
    this.flush(session);
    session.transport.unsubscribe(networkTopic(networkId));
  }

  synced(networkId: string): Promise<void> {
    return this.session?.firstSyncs.wait(networkId) ?? Promise.resolve();
  }

  put(networkId: string, table: GossipTable, key: string, value: Uint8Array): void {
    const session = this.active();
    const now = this.components.clock.monotonic();
    queueRows(session, [session.tables.put(networkId, table, key, value, now)]);
    this.announce(networkId, [{ table, key, owner: session.identity.nodeId, value }]);
  }

  remove(networkId: string, table: GossipTable, key: string): void {
    const session = this.active();
    if (!session.tables.has(networkId)) return;
    const row = session.tables.remove(networkId, table, key, this.components.clock.monotonic());
    if (!row) return;
    queueRows(session, [row]);
    this.announce(networkId, [{ table, key, owner: row.owner, value: undefined }]);
  }

  rows(networkId: string, table: GossipTable): readonly GossipTableRow[] {
    return this.session?.tables.rows(networkId, table) ?? [];
  }

  subscribe(listener: (networkId: string, changes: readonly GossipChange[]) => void): () => void {
    this.rowListeners.add(listener);
    return () => this.rowListeners.delete(listener);
  }

  attendance(networkId: string): readonly { nodeId: string; ip: string }[] {
    const session = this.session;
    if (!session) return [];
    const self = session.tables.has(networkId)
      ? [{ nodeId: session.identity.nodeId, ip: session.identity.advertiseAddr }]
      : [];
    const addresses = new Map(session.peers.map((peer) => [peer.nodeId, hostOf(peer.addr)]));
    const others = session.attendance
      .of(networkId)
      .filter((nodeId) => nodeId !== session.identity.nodeId && session.detector.isAlive(nodeId))
      .map((nodeId) => ({ nodeId, ip: addresses.get(nodeId) ?? '' }));
    return [...self, ...others];
  }

  members(): readonly GossipMember[] {
    const session = this.session;
    if (!session) return [];
    return [{ nodeId: session.identity.nodeId, alive: true }, ...session.detector.list()];
  }

  onMembers(listener: (nodeId: string, alive: boolean) => void): () => void {
    this.memberListeners.add(listener);
    return () => this.memberListeners.delete(listener);
  }

  private active(): Session {
    if (!this.session) throw new Error('gossip is not started');
    return this.session;
  }

  private scheduleTick(session: Session): void {
    session.timer = this.components.clock.setTimer(TICK_MS, () => {
      if (this.session !== session) return;
      this.tick(session);
      this.scheduleTick(session);
    });
  }

  private tick(session: Session): void {
    const now = this.components.clock.monotonic();
    this.perform(session, session.detector.tick(now));
    this.flush(session);
    session.firstSyncs.tick(now);
    if (now >= session.nextSyncAt) {
      session.nextSyncAt = now + SYNC_INTERVAL_MS;
      const connected = session.peers.filter((peer) => session.transport.isConnected(peer.nodeId));
      const [peer] = shuffled(this.components.random, connected);
      if (peer) this.syncWith(session, peer.nodeId);
    }
    if (now >= session.nextReapAt) {
      session.nextReapAt = now + REAP_INTERVAL_MS;
      session.tables.reap(now);
    }
  }

  /** Sends what was queued since the last tick: one message per network, in pieces if need be. */
  private flush(session: Session): void {
    if (session.claims.length > 0) {
      const members = session.claims;
      session.claims = [];
      session.transport.publish(CLUSTER_TOPIC, ClusterGossip.encode({ members }).finish());
    }
    const outbox = session.outbox;
    session.outbox = new Map();
    for (const [networkId, rows] of outbox) {
      for (const piece of inPieces(newestOnly(rows))) {
        const data = GossipRows.encode({ rows: piece }).finish();
        session.transport.publish(networkTopic(networkId), data);
      }
    }
  }

  private perform(session: Session, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'broadcast') session.claims.push(toState(effect.claim));
      else if (effect.type === 'changed') this.onLiveness(session, effect.nodeId, effect.alive);
      else if (effect.type === 'ping') void this.ping(session, effect.seq, effect.target);
      else void this.pingThrough(session, effect.seq, effect.target, effect.helpers);
    }
  }

  private onLiveness(session: Session, nodeId: string, alive: boolean): void {
    this.components.logger.info({ nodeId, alive }, 'gossip changed its opinion of a node');
    this.announceAll(session.tables.setHidden(nodeId, !alive));
    if (!alive) session.transport.disconnect(nodeId);
    for (const listener of this.memberListeners) listener(nodeId, alive);
  }

  private async ping(session: Session, seq: number, target: string): Promise<void> {
    try {
      await this.probe(session, target, '', PROBE_INTERVAL_MS);
      session.detector.acked(seq);
    } catch {
      const now = this.components.clock.monotonic();
      this.perform(session, session.detector.failed(seq, now));
    }
  }

  private async pingThrough(
    session: Session,
    seq: number,
    target: string,
    helpers: readonly string[],
  ): Promise<void> {
    const asked = helpers.map((helper) => this.probe(session, helper, target, PROBE_INTERVAL_MS));
    const answers = await Promise.allSettled(asked);
    if (answers.some((answer) => answer.status === 'fulfilled' && !answer.value.nack)) {
      session.detector.acked(seq);
      return;
    }
    const now = this.components.clock.monotonic();
    this.perform(session, session.detector.helpersFailed(seq, now));
  }

  private async probe(session: Session, nodeId: string, target: string, timeoutMs: number) {
    const belief = session.detector.claimOf(nodeId);
    const members = [selfState(session), ...(belief ? [toState(belief)] : [])];
    const data = Probe.encode({ target, members }).finish();
    const answer = await this.request(session, nodeId, '/swarm/probe/1', data, timeoutMs);
    const ack = ProbeAck.decode(answer);
    this.receiveMembers(session, ack.members);
    return ack;
  }

  private async request(
    session: Session,
    nodeId: string,
    protocol: RequestProtocol,
    data: Uint8Array,
    timeoutMs: number,
  ): Promise<Uint8Array> {
    const abort = new AbortController();
    const timer = this.components.clock.setTimer(timeoutMs, () =>
      abort.abort(new Error(`no answer within ${timeoutMs} ms`)),
    );
    const onStop = () => abort.abort(session.abort.signal.reason);
    session.abort.signal.addEventListener('abort', onStop, { once: true });
    try {
      return await session.transport.request(nodeId, protocol, data, abort.signal);
    } finally {
      timer.cancel();
      session.abort.signal.removeEventListener('abort', onStop);
    }
  }

  /** Anti-entropy: their digest, the rows we lack, the rows they lack. */
  private syncWith(session: Session, nodeId: string): void {
    if (nodeId === session.identity.nodeId) return;
    this.exchange(session, nodeId).catch((error: unknown) => {
      this.components.logger.debug({ nodeId, error: errorMessage(error) }, 'gossip sync failed');
    });
  }

  private async exchange(session: Session, nodeId: string): Promise<void> {
    const networks = session.tables.joined();
    const first = SyncRequest.encode({
      members: this.allStates(session),
      networks: session.tables.digest(),
      rows: [],
    }).finish();
    const answer = SyncResponse.decode(
      await this.request(session, nodeId, '/swarm/sync/1', first, SYNC_TIMEOUT_MS),
    );
    this.receiveMembers(session, answer.members);
    this.receiveRows(session, answer.rows);
    session.firstSyncs.synced(networks);
    const now = this.components.clock.monotonic();
    const rows = session.tables.missingIn(answer.networks, now);
    if (rows.length === 0) return;
    const second = SyncRequest.encode({ members: [], networks: [], rows }).finish();
    await this.request(session, nodeId, '/swarm/sync/1', second, SYNC_TIMEOUT_MS);
  }

  private onMessage(session: Session, topic: string, from: string, data: Uint8Array): void {
    if (topic === CLUSTER_TOPIC) {
      this.receiveMembers(session, ClusterGossip.decode(data).members);
      return;
    }
    // Only the owner may speak for its rows; anyone else's claim is dropped.
    const rows = GossipRows.decode(data).rows.filter(
      (row) => row.owner === from && networkTopic(row.networkId) === topic,
    );
    this.receiveRows(session, rows);
  }

  private async onRequest(
    session: Session,
    protocol: RequestProtocol,
    from: string,
    data: Uint8Array,
  ): Promise<Uint8Array> {
    return protocol === '/swarm/probe/1'
      ? this.answerProbe(session, from, Probe.decode(data))
      : this.answerSync(session, SyncRequest.decode(data));
  }

  private async answerProbe(session: Session, from: string, probe: Probe): Promise<Uint8Array> {
    this.receiveMembers(session, probe.members);
    const belief = session.detector.claimOf(from);
    const members = [selfState(session), ...(belief ? [toState(belief)] : [])];
    if (probe.target === '') return ProbeAck.encode({ nack: false, members }).finish();
    const answered = await this.probe(session, probe.target, '', PROBE_TIMEOUT_MS).then(
      () => true,
      () => false,
    );
    return ProbeAck.encode({ nack: !answered, members }).finish();
  }

  private answerSync(session: Session, request: SyncRequest): Uint8Array {
    this.receiveMembers(session, request.members);
    this.receiveRows(session, request.rows);
    const asked = new Set(request.networks.map((network) => network.networkId));
    return SyncResponse.encode({
      members: request.members.length > 0 ? this.allStates(session) : [],
      networks: session.tables.digest().filter((network) => asked.has(network.networkId)),
      rows: session.tables.missingIn(request.networks, this.components.clock.monotonic()),
    }).finish();
  }

  private receiveMembers(session: Session, members: readonly MemberState[]): void {
    const now = this.components.clock.monotonic();
    this.perform(session, session.detector.receive(members.map(fromState), now));
    for (const state of members) {
      if (state.ltime === 0) continue;
      session.tables.witness(state.ltime);
      if (state.nodeId === session.identity.nodeId) this.correctAttendance(session, state);
      else if (!session.attendance.merge(state)) continue;
      else this.announceAll(session.tables.dropAbsent(state.nodeId, state.networks, state.ltime));
    }
  }

  /** After a restart others still know what this node said before it: say it anew, with a later time. */
  private correctAttendance(session: Session, state: MemberState): void {
    const own = session.attendance.record(session.identity.nodeId);
    const differs = own.networks.join() !== [...state.networks].sort().join();
    if (differs && state.ltime >= own.ltime) this.tellAttendance(session);
  }

  private receiveRows(session: Session, rows: readonly GossipRow[]): void {
    const merged = session.tables.merge(rows, this.components.clock.monotonic());
    queueRows(session, merged.corrections);
    this.announceAll(merged.changes);
  }

  private tellAttendance(session: Session): void {
    session.attendance.setSelf(
      session.identity.nodeId,
      session.tables.joined(),
      session.tables.nextTime(),
    );
    session.claims.push(selfState(session));
  }

  private allStates(session: Session): MemberState[] {
    return session.detector.claims().map((claim) => ({
      ...toState(claim),
      ...session.attendance.record(claim.nodeId),
    }));
  }

  private announceAll(changes: ReadonlyMap<string, readonly GossipChange[]>): void {
    for (const [networkId, list] of changes) this.announce(networkId, list);
  }

  private announce(networkId: string, changes: readonly GossipChange[]): void {
    if (changes.length === 0) return;
    for (const listener of this.rowListeners) listener(networkId, changes);
  }
}

function selfState(session: Session, liveness: Liveness = 'alive'): MemberState {
  return {
    ...toState(session.detector.self(liveness)),
    ...session.attendance.record(session.identity.nodeId),
  };
}

const LIVENESS: readonly Liveness[] = ['alive', 'suspect', 'dead', 'left'];

function toState(claim: LivenessClaim): MemberState {
  const liveness = LIVENESS.indexOf(claim.liveness) as MemberState_Liveness;
  return { ...claim, liveness, networks: [], ltime: 0 };
}

function fromState(state: MemberState): LivenessClaim {
  const liveness = LIVENESS[state.liveness] ?? 'alive';
  return { nodeId: state.nodeId, incarnation: state.incarnation, liveness, from: state.from };
}

function queueRows(session: Session, rows: readonly GossipRow[]): void {
  for (const row of rows) {
    const list = session.outbox.get(row.networkId);
    if (list) list.push(row);
    else session.outbox.set(row.networkId, [row]);
  }
}

/** Of several writes to one row within a tick only the last is worth sending. */
function newestOnly(rows: readonly GossipRow[]): GossipRow[] {
  return [...new Map(rows.map((row) => [`${row.table}/${row.key}`, row])).values()];
}

function* inPieces(rows: readonly GossipRow[]): Generator<GossipRow[]> {
  let piece: GossipRow[] = [];
  let size = 0;
  for (const row of rows) {
    const bytes = row.value.length + 160;
    if (piece.length > 0 && size + bytes > MESSAGE_BYTES_MAX) {
      yield piece;
      piece = [];
      size = 0;
    }
    piece.push(row);
    size += bytes;
  }
  if (piece.length > 0) yield piece;
}

/** The host of "host:port". */
function hostOf(addr: string): string {
  return addr.slice(0, addr.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}
