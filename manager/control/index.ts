export { resourceAllocatorService } from './attachments.ts';
export { routedControl } from './control.ts';
export type { ControlContext } from './control-context.ts';
export { controlService } from './control-service.ts';
export { forwardingControl } from './forwarding-control.ts';
export { leaderControl } from './leader-control.ts';
export { LeaderLink, noLeader } from './leader-link.ts';
export { losesQuorum } from './quorum.ts';
export { PREDEFINED_LABEL } from './validate-network.ts';
