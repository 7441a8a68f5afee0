import { type Random, shuffled } from '../../common/random.ts';
import {
  AWARENESS_MAX,
  INDIRECT_PROBES,
  PROBE_INTERVAL_MS,
  PROBE_TIMEOUT_MS,
  SUSPICION_CONFIRMATIONS,
  SUSPICION_MAX_MULT,
  SUSPICION_MULT,
} from './constants.ts';

export type Liveness = 'alive' | 'suspect' | 'dead' | 'left';

/** What one node says of another (or of itself): SWIM's messages. */
export interface LivenessClaim {
  readonly nodeId: string;
  readonly incarnation: number;
  readonly liveness: Liveness;
  readonly from: string;
}

export type Effect =
  | { readonly type: 'ping'; readonly seq: number; readonly target: string }
  | {
      readonly type: 'ping-indirect';
      readonly seq: number;
      readonly target: string;
      readonly helpers: readonly string[];
    }
  | { readonly type: 'broadcast'; readonly claim: LivenessClaim }
  | { readonly type: 'changed'; readonly nodeId: string; readonly alive: boolean };

interface Suspicion {
  readonly since: number;
  readonly confirmations: Set<string>;
}

interface Member {
  readonly nodeId: string;
  liveness: Liveness;
  incarnation: number;
  suspicion: Suspicion | undefined;
}

interface PendingProbe {
  readonly seq: number;
  readonly target: string;
  readonly indirectAt: number;
  readonly failAt: number;
  indirectSent: boolean;
}

/**
 * SWIM's failure detector (Das et al. 2002) with Lifeguard's local awareness and shrinking
 * suspicion. A pure state machine: time is an argument, what is to be done is returned.
 *
 * Who is a member is not decided here: the managers' list is. This decides who lives.
 */
export class FailureDetector {
  private readonly random: Random;
  private readonly selfId: string;
  private readonly members = new Map<string, Member>();
  private incarnation: number;
  private order: string[] = [];
  private urgent: string[] = [];
  private pending: PendingProbe | undefined;
  private nextProbeAt = 0;
  private nextSeq = 1;
  private awareness = 0;

  /**
   * `incarnation` must be above that of any earlier life of this node: the wall clock in
   * milliseconds at its start is.
   */
  constructor(components: { random: Random }, init: { selfId: string; incarnation: number }) {
    this.random = components.random;
    this.selfId = init.selfId;
    this.incarnation = init.incarnation;
  }

  /** Members start alive: a newcomer is innocent until a probe says otherwise. */
  setMembers(nodeIds: readonly string[]): void {
    const wanted = new Set(nodeIds.filter((id) => id !== this.selfId));
    for (const id of [...this.members.keys()]) if (!wanted.has(id)) this.members.delete(id);
    for (const nodeId of wanted) {
      if (this.members.has(nodeId)) continue;
      this.members.set(nodeId, { nodeId, liveness: 'alive', incarnation: 0, suspicion: undefined });
    }
    this.order = this.order.filter((id) => wanted.has(id));
    this.urgent = this.urgent.filter((id) => wanted.has(id));
    if (this.pending && !wanted.has(this.pending.target)) this.pending = undefined;
  }

  isAlive(nodeId: string): boolean {
    if (nodeId === this.selfId) return true;
    const member = this.members.get(nodeId);
    return member !== undefined && (member.liveness === 'alive' || member.liveness === 'suspect');
  }

  list(): readonly { nodeId: string; alive: boolean }[] {
    return [...this.members.keys()].map((nodeId) => ({ nodeId, alive: this.isAlive(nodeId) }));
  }

  self(liveness: Liveness = 'alive'): LivenessClaim {
    return { nodeId: this.selfId, incarnation: this.incarnation, liveness, from: this.selfId };
  }

  /** What this node believes of another, to be told to it so that it can refute. */
  claimOf(nodeId: string): LivenessClaim | undefined {
    const member = this.members.get(nodeId);
    return member && { ...pick(member), from: this.selfId };
  }

  /** Every belief, for anti-entropy. */
  claims(): LivenessClaim[] {
    return [
      this.self(),
      ...[...this.members.values()].map((m) => ({ ...pick(m), from: this.selfId })),
    ];
  }

  /** Its connection broke: probe it next, without waiting for its turn. */
  hint(nodeId: string): void {
    if (this.members.has(nodeId) && !this.urgent.includes(nodeId)) this.urgent.push(nodeId);
  }

  tick(now: number): Effect[] {
    const effects: Effect[] = [];
    this.advanceProbe(now, effects);
    if (!this.pending && (now >= this.nextProbeAt || this.urgent.length > 0)) {
      this.startProbe(now, effects);
    }
    for (const member of this.members.values()) {
      const { suspicion } = member;
      if (!suspicion || now - suspicion.since < this.suspicionMs(suspicion)) continue;
      this.set(member, 'dead', member.incarnation, effects);
      if (suspicion.confirmations.has(this.selfId)) {
        effects.push({ type: 'broadcast', claim: { ...pick(member), from: this.selfId } });
      }
    }
    return effects;
  }

  /** The target of probe `seq` answered, directly or through a helper. */
  acked(seq: number): void {
    if (this.pending?.seq !== seq) return;
    this.pending = undefined;
    this.awareness = Math.max(0, this.awareness - 1);
  }

  /** The ping could not even be sent, or was refused: ask the helpers now. */
  failed(seq: number, now: number): Effect[] {
    const effects: Effect[] = [];
    if (this.pending?.seq === seq && !this.pending.indirectSent) this.askHelpers(effects);
    else if (this.pending?.seq === seq) this.failProbe(now, effects);
    return effects;
  }

  /** All helpers reported that they had no answer either. */
  helpersFailed(seq: number, now: number): Effect[] {
    const effects: Effect[] = [];
    if (this.pending?.seq === seq) this.failProbe(now, effects);
    return effects;
  }

  receive(claims: readonly LivenessClaim[], now: number): Effect[] {
    const effects: Effect[] = [];
    for (const claim of claims) {
      if (claim.nodeId === this.selfId) this.refute(claim, effects);
      else this.believe(claim, now, effects);
    }
    return effects;
  }

  private advanceProbe(now: number, effects: Effect[]): void {
    if (!this.pending) return;
    if (now >= this.pending.failAt) this.failProbe(now, effects);
    else if (now >= this.pending.indirectAt && !this.pending.indirectSent) this.askHelpers(effects);
  }

  /** Round robin over a shuffled list: everyone is probed once per round (SWIM 4.3). */
  private startProbe(now: number, effects: Effect[]): void {
    if (this.order.length === 0) this.order = shuffled(this.random, [...this.members.keys()]);
    const target = this.urgent.shift() ?? this.order.shift();
    const scale = this.awareness + 1;
    this.nextProbeAt = now + PROBE_INTERVAL_MS * scale;
    if (target === undefined) return;
    this.pending = {
      seq: this.nextSeq,
      target,
      indirectAt: now + PROBE_TIMEOUT_MS * scale,
      failAt: now + PROBE_INTERVAL_MS * scale,
      indirectSent: false,
    };
    this.nextSeq += 1;
    effects.push({ type: 'ping', seq: this.pending.seq, target });
  }

  private askHelpers(effects: Effect[]): void {
    const probe = this.pending;
    if (!probe) return;
    probe.indirectSent = true;
    const others = [...this.members.values()]
      .filter((member) => member.nodeId !== probe.target && member.liveness === 'alive')
      .map((member) => member.nodeId);
    const helpers = shuffled(this.random, others).slice(0, INDIRECT_PROBES);
    effects.push({ type: 'ping-indirect', seq: probe.seq, target: probe.target, helpers });
  }

  private failProbe(now: number, effects: Effect[]): void {
    const member = this.pending && this.members.get(this.pending.target);
    this.pending = undefined;
    this.awareness = Math.min(AWARENESS_MAX, this.awareness + 1);
    if (member?.liveness !== 'alive' && member?.liveness !== 'suspect') return;
    this.believe(
      {
        nodeId: member.nodeId,
        incarnation: member.incarnation,
        liveness: 'suspect',
        from: this.selfId,
      },
      now,
      effects,
    );
  }

  /** SWIM 4.2: which claim overrides which. */
  private believe(claim: LivenessClaim, now: number, effects: Effect[]): void {
    const member = this.members.get(claim.nodeId);
    if (!member) return;
    if (claim.liveness === 'alive') {
      if (claim.incarnation > member.incarnation)
        this.set(member, 'alive', claim.incarnation, effects);
      return;
    }
    if (claim.incarnation < member.incarnation) return;
    if (claim.liveness === 'suspect') this.suspect(member, claim, now, effects);
    else if (member.liveness !== 'dead' && member.liveness !== 'left') {
      this.set(member, claim.liveness, claim.incarnation, effects);
    }
  }

  private suspect(member: Member, claim: LivenessClaim, now: number, effects: Effect[]): void {
    if (member.liveness === 'suspect' && member.suspicion) {
      if (member.suspicion.confirmations.has(claim.from)) return;
      if (member.suspicion.confirmations.size > SUSPICION_CONFIRMATIONS) return;
      member.suspicion.confirmations.add(claim.from);
    } else if (member.liveness === 'alive') {
      member.liveness = 'suspect';
      member.suspicion = { since: now, confirmations: new Set([claim.from]) };
    } else return;
    member.incarnation = claim.incarnation;
    // A broadcast reaches everyone by itself. If all who hear a claim sent it again, a few lost probes
    // would become so many messages that more probes are lost.
    if (claim.from === this.selfId) {
      effects.push({ type: 'broadcast', claim: { ...pick(member), from: this.selfId } });
    }
  }

  /**
   * Someone speaks ill of us: raise the incarnation and say that we live. Claims below it are answered
   * already; who missed the answer gets it with the next probe or exchange.
   */
  private refute(claim: LivenessClaim, effects: Effect[]): void {
    if (claim.liveness === 'alive' || claim.incarnation < this.incarnation) return;
    this.incarnation = claim.incarnation + 1;
    this.awareness = Math.min(AWARENESS_MAX, this.awareness + 1);
    effects.push({ type: 'broadcast', claim: this.self() });
  }

  private set(member: Member, liveness: Liveness, incarnation: number, effects: Effect[]): void {
    const before = this.isAlive(member.nodeId);
    member.liveness = liveness;
    member.incarnation = incarnation;
    member.suspicion = undefined;
    const alive = this.isAlive(member.nodeId);
    if (alive !== before) effects.push({ type: 'changed', nodeId: member.nodeId, alive });
  }

  /** Lifeguard: from the maximum down to the minimum as independent confirmations come in. */
  private suspicionMs(suspicion: Suspicion): number {
    const nodes = this.members.size + 1;
    const min = SUSPICION_MULT * Math.max(1, Math.log10(nodes)) * PROBE_INTERVAL_MS;
    const needed = nodes - 2 < SUSPICION_CONFIRMATIONS ? 0 : SUSPICION_CONFIRMATIONS;
    if (needed === 0) return min;
    const max = SUSPICION_MAX_MULT * min;
    const confirmed = suspicion.confirmations.size - 1;
    return Math.max(min, max - (Math.log(confirmed + 1) / Math.log(needed + 1)) * (max - min));
  }
}

function pick(member: Member): Omit<LivenessClaim, 'from'> {
  return { nodeId: member.nodeId, incarnation: member.incarnation, liveness: member.liveness };
}
