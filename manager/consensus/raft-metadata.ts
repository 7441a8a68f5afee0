/** Metadata of the streams between managers: the Raft ids of both ends, in decimal. */
export const FROM_KEY = 'swarm-raft-from';
export const TO_KEY = 'swarm-raft-to';
/** Where the sender can be reached: a hint, the identity is in its certificate. */
export const SENDER_ADDR_KEY = 'swarm-raft-addr';
/** Trailer of the membership service: the leader's address, when another manager was asked. */
export const LEADER_KEY = 'swarm-leader';
/** The details of NOT_FOUND that tell a manager that it is no member any more. */
export const MEMBER_REMOVED = 'member was removed';
