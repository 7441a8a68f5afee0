import type { MemberState, MemberState_Liveness } from '../../proto/gen/swarm/gossip.ts';
import type { Liveness, LivenessClaim } from './failure-detector.ts';

/** In the order of the numbers on the wire. */
const LIVENESS: readonly Liveness[] = ['alive', 'suspect', 'dead', 'left'];

/** A claim as it travels, without the attendance that only the node itself can tell. */
export function toState(claim: LivenessClaim): MemberState {
  const liveness = LIVENESS.indexOf(claim.liveness) as MemberState_Liveness;
  return { ...claim, liveness, networks: [], ltime: 0 };
}

export function fromState(state: MemberState): LivenessClaim {
  const liveness = LIVENESS[state.liveness] ?? 'alive';
  return { nodeId: state.nodeId, incarnation: state.incarnation, liveness, from: state.from };
}
