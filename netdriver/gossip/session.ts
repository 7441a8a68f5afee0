import type { Timer } from '../../common/clock.ts';
import { shuffled } from '../../common/random.ts';
import type { GossipPeer } from '../../proto/gen/swarm/dispatcher.ts';
import {
  ClusterGossip,
  type GossipRow,
  GossipRows,
  type MemberState,
  Probe,
  ProbeAck,
  SyncRequest,
} from '../../proto/gen/swarm/gossip.ts';
import type { SwarmIdentity } from '../types.ts';
import { AntiEntropy } from './anti-entropy.ts';
import { Attendance } from './attendance.ts';
import { fromState, toState } from './claims.ts';
import {
  CLUSTER_TOPIC,
  COALESCE_MS,
  networkTopic,
  PROBE_INTERVAL_MS,
  PROBE_TIMEOUT_MS,
  REAP_INTERVAL_MS,
  SYNC_INTERVAL_MS,
} from './constants.ts';
import { type Effect, FailureDetector, type Liveness } from './failure-detector.ts';
import { FirstSyncs } from './first-syncs.ts';
import type { GossipComponents } from './gossip.ts';
import { Outbox } from './outbox.ts';
import { Requests } from './requests.ts';
import { Tables } from './tables.ts';
import type { GossipTransport, RequestProtocol } from './transport.ts';
import type { GossipChange, GossipTable } from './types.ts';

/** Peers that are asked for their rows when a network is joined. */
const SYNC_ON_JOIN = 3;

/** What a session tells its owner. */
export interface SessionEvents {
  rows(networkId: string, changes: readonly GossipChange[]): void;
  liveness(nodeId: string, alive: boolean): void;
}

/**
 * This node among its peers, for as long as it is a member of one swarm: moves bytes and time between
 * the transport and the state machines (`Tables`, `FailureDetector`, `Attendance`), which decide.
 */
export class GossipSession {
  readonly identity: SwarmIdentity;
  readonly tables: Tables;
  readonly detector: FailureDetector;
  readonly firstSyncs = new FirstSyncs();
  private readonly components: GossipComponents;
  private readonly events: SessionEvents;
  private readonly transport: GossipTransport;
  private readonly attendance = new Attendance();
  private readonly outbox = new Outbox();
  private readonly requests: Requests;
  private readonly antiEntropy: AntiEntropy;
  private peers: readonly GossipPeer[] = [];
  private timer: Timer | undefined;
  private nextSyncAt: number;
  private nextReapAt: number;

  constructor(
    components: GossipComponents,
    init: { identity: SwarmIdentity; events: SessionEvents },
  ) {
    const { clock, random } = components;
    const { identity, events } = init;
    const now = clock.monotonic();
    this.components = components;
    this.events = events;
    this.identity = identity;
    this.transport = components.transport(identity);
    this.tables = new Tables(identity.nodeId, clock.now());
    this.detector = new FailureDetector(
      { random },
      { selfId: identity.nodeId, incarnation: clock.now() },
    );
    this.requests = new Requests({ clock, transport: this.transport });
    const { firstSyncs, requests, tables } = this;
    this.antiEntropy = new AntiEntropy(
      { clock, logger: components.logger, tables, firstSyncs, requests },
      {
        states: () => this.allStates(),
        members: (members) => this.receiveMembers(members),
        rows: (rows) => this.receiveRows(rows),
      },
    );
    this.nextSyncAt = now + random.float() * SYNC_INTERVAL_MS;
    this.nextReapAt = now + REAP_INTERVAL_MS;
  }

  async start(): Promise<void> {
    await this.transport.start({
      message: (topic, from, data) => this.onMessage(topic, from, data),
      request: (protocol, from, data) => this.onRequest(protocol, from, data),
      connected: (nodeId) => this.antiEntropy.syncWith(nodeId),
      disconnected: (nodeId) => this.detector.hint(nodeId),
    });
    this.transport.subscribe(CLUSTER_TOPIC);
    this.scheduleTick();
  }

  async stop(options: { leave: boolean }): Promise<void> {
    this.timer?.cancel();
    this.timer = undefined;
    if (options.leave) {
      await this.antiEntropy.sayGoodbye(this.selfState('left'), this.connected());
    }
    this.firstSyncs.stop();
    this.requests.stop();
    await this.transport.stop();
  }

  setPeers(peers: readonly GossipPeer[]): void {
    this.peers = peers;
    const others = peers.filter((peer) => peer.nodeId !== this.identity.nodeId);
    const ids = [...others.map((peer) => peer.nodeId), this.identity.nodeId];
    this.firstSyncs.peersKnown(others.length, this.components.clock.monotonic());
    this.detector.setMembers(ids);
    this.attendance.keep(ids);
    this.transport.setPeers(others);
    this.announceAll(this.tables.forgetOwners((owner) => ids.includes(owner)));
  }

  join(networkId: string): void {
    if (!this.tables.join(networkId)) return;
    this.firstSyncs.joined(networkId, this.components.clock.monotonic());
    this.transport.subscribe(networkTopic(networkId));
    this.tellAttendance();
    const isOther = (nodeId: string) => nodeId !== this.identity.nodeId;
    const attending = this.attendance
      .of(networkId)
      .filter((id) => isOther(id) && this.transport.isConnected(id));
    const everyone = this.peers.map((peer) => peer.nodeId).filter(isOther);
    const candidates = attending.length > 0 ? attending : everyone;
    for (const nodeId of shuffled(this.components.random, candidates).slice(0, SYNC_ON_JOIN)) {
      this.antiEntropy.syncWith(nodeId);
    }
  }

  leave(networkId: string): void {
    if (!this.tables.has(networkId)) return;
    this.outbox.addRows(this.tables.leave(networkId, this.components.clock.monotonic()));
    this.tellAttendance();
    this.flush();
    this.transport.unsubscribe(networkTopic(networkId));
  }

  put(networkId: string, table: GossipTable, key: string, value: Uint8Array): void {
    const now = this.components.clock.monotonic();
    this.outbox.addRows([this.tables.put(networkId, table, key, value, now)]);
    this.events.rows(networkId, [{ table, key, owner: this.identity.nodeId, value }]);
  }

  remove(networkId: string, table: GossipTable, key: string): void {
    if (!this.tables.has(networkId)) return;
    const row = this.tables.remove(networkId, table, key, this.components.clock.monotonic());
    if (!row) return;
    this.outbox.addRows([row]);
    this.events.rows(networkId, [{ table, key, owner: row.owner, value: undefined }]);
  }

  /** The living nodes that have the network. */
  attending(networkId: string): { nodeId: string; ip: string }[] {
    const self = this.tables.has(networkId)
      ? [{ nodeId: this.identity.nodeId, ip: this.identity.advertiseAddr }]
      : [];
    const addresses = new Map(this.peers.map((peer) => [peer.nodeId, hostOf(peer.addr)]));
    const others = this.attendance
      .of(networkId)
      .filter((nodeId) => nodeId !== this.identity.nodeId && this.detector.isAlive(nodeId))
      .map((nodeId) => ({ nodeId, ip: addresses.get(nodeId) ?? '' }));
    return [...self, ...others];
  }

  private connected(): string[] {
    const others = this.peers.map(({ nodeId }) => nodeId);
    return others.filter((id) => id !== this.identity.nodeId && this.transport.isConnected(id));
  }

  private scheduleTick(): void {
    this.timer = this.components.clock.setTimer(COALESCE_MS, () => {
      if (!this.timer) return;
      this.tick();
      this.scheduleTick();
    });
  }

  private flush(): void {
    this.outbox.flush((topic, data) => this.transport.publish(topic, data));
  }

  private tick(): void {
    const now = this.components.clock.monotonic();
    this.perform(this.detector.tick(now));
    this.flush();
    this.firstSyncs.tick(now);
    if (now >= this.nextSyncAt) {
      this.nextSyncAt = now + SYNC_INTERVAL_MS;
      const [peer] = shuffled(this.components.random, this.connected());
      if (peer) this.antiEntropy.syncWith(peer);
    }
    if (now >= this.nextReapAt) {
      this.nextReapAt = now + REAP_INTERVAL_MS;
      this.tables.reap(now);
    }
  }

  private perform(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type === 'broadcast') this.outbox.addClaim(toState(effect.claim));
      else if (effect.type === 'changed') this.onLiveness(effect.nodeId, effect.alive);
      else if (effect.type === 'ping') void this.ping(effect.seq, effect.target);
      else void this.pingThrough(effect.seq, effect.target, effect.helpers);
    }
  }

  private onLiveness(nodeId: string, alive: boolean): void {
    this.components.logger.info({ nodeId, alive }, 'gossip changed its opinion of a node');
    this.announceAll(this.tables.setHidden(nodeId, !alive));
    if (!alive) this.transport.disconnect(nodeId);
    this.events.liveness(nodeId, alive);
  }

  private async ping(seq: number, target: string): Promise<void> {
    try {
      await this.probe(target, '', PROBE_INTERVAL_MS);
      this.detector.acked(seq);
    } catch {
      const now = this.components.clock.monotonic();
      this.perform(this.detector.failed(seq, now));
    }
  }

  private async pingThrough(
    seq: number,
    target: string,
    helpers: readonly string[],
  ): Promise<void> {
    const asked = helpers.map((helper) => this.probe(helper, target, PROBE_INTERVAL_MS));
    const answers = await Promise.allSettled(asked);
    if (answers.some((answer) => answer.status === 'fulfilled' && !answer.value.nack)) {
      this.detector.acked(seq);
      return;
    }
    const now = this.components.clock.monotonic();
    this.perform(this.detector.helpersFailed(seq, now));
  }

  private async probe(nodeId: string, target: string, timeoutMs: number) {
    const belief = this.detector.claimOf(nodeId);
    const members = [this.selfState(), ...(belief ? [toState(belief)] : [])];
    const data = Probe.encode({ target, members }).finish();
    const answer = await this.requests.send(nodeId, '/swarm/probe/1', data, timeoutMs);
    const ack = ProbeAck.decode(answer);
    this.receiveMembers(ack.members);
    return ack;
  }

  private onMessage(topic: string, from: string, data: Uint8Array): void {
    if (topic === CLUSTER_TOPIC) {
      this.receiveMembers(ClusterGossip.decode(data).members);
      return;
    }
    // Only the owner may speak for its rows; anyone else's claim is dropped.
    const rows = GossipRows.decode(data).rows.filter(
      (row) => row.owner === from && networkTopic(row.networkId) === topic,
    );
    this.receiveRows(rows);
  }

  private async onRequest(
    protocol: RequestProtocol,
    from: string,
    data: Uint8Array,
  ): Promise<Uint8Array> {
    return protocol === '/swarm/probe/1'
      ? this.answerProbe(from, Probe.decode(data))
      : this.antiEntropy.answer(SyncRequest.decode(data));
  }

  private async answerProbe(from: string, probe: Probe): Promise<Uint8Array> {
    this.receiveMembers(probe.members);
    const belief = this.detector.claimOf(from);
    const members = [this.selfState(), ...(belief ? [toState(belief)] : [])];
    if (probe.target === '') return ProbeAck.encode({ nack: false, members }).finish();
    const answered = await this.probe(probe.target, '', PROBE_TIMEOUT_MS).then(
      () => true,
      () => false,
    );
    return ProbeAck.encode({ nack: !answered, members }).finish();
  }

  private receiveMembers(members: readonly MemberState[]): void {
    const now = this.components.clock.monotonic();
    this.perform(this.detector.receive(members.map(fromState), now));
    for (const state of members) {
      if (state.ltime === 0) continue;
      this.tables.witness(state.ltime);
      if (state.nodeId === this.identity.nodeId) this.correctAttendance(state);
      else if (!this.attendance.merge(state)) continue;
      else this.announceAll(this.tables.dropAbsent(state.nodeId, state.networks, state.ltime));
    }
  }

  /** After a restart others still know what this node said before it: say it anew, with a later time. */
  private correctAttendance(state: MemberState): void {
    const own = this.attendance.record(this.identity.nodeId);
    const differs = own.networks.join() !== [...state.networks].sort().join();
    if (differs && state.ltime >= own.ltime) this.tellAttendance();
  }

  private receiveRows(rows: readonly GossipRow[]): void {
    const merged = this.tables.merge(rows, this.components.clock.monotonic());
    this.outbox.addRows(merged.corrections);
    this.announceAll(merged.changes);
  }

  private tellAttendance(): void {
    this.attendance.setSelf(this.identity.nodeId, this.tables.joined(), this.tables.nextTime());
    this.outbox.addClaim(this.selfState());
  }

  private allStates(): MemberState[] {
    return this.detector.claims().map((claim) => ({
      ...toState(claim),
      ...this.attendance.record(claim.nodeId),
    }));
  }

  private selfState(liveness: Liveness = 'alive'): MemberState {
    return {
      ...toState(this.detector.self(liveness)),
      ...this.attendance.record(this.identity.nodeId),
    };
  }

  private announceAll(changes: ReadonlyMap<string, readonly GossipChange[]>): void {
    for (const [networkId, list] of changes) {
      if (list.length > 0) this.events.rows(networkId, list);
    }
  }
}

/** The host of "host:port". */
function hostOf(addr: string): string {
  return addr.slice(0, addr.lastIndexOf(':')).replace(/^\[|\]$/g, '');
}
