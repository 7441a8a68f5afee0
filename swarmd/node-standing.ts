import type { SwarmError } from '../common/errors.ts';
import type { ManagerApi } from '../manager/index.ts';
import { NodeRole } from '../proto/gen/swarm/types.ts';
import { splitHostPort } from './addresses.ts';
import type { LocalNodeState, SwarmNodeState } from './api/node-api.ts';
import type { Membership } from './membership.ts';
import type { NodeRecord } from './node-files.ts';

/** A manager whose secrets wait for the unlock key. */
export interface LockedNode {
  readonly nodeId: string;
  readonly record: NodeRecord;
}

/**
 * How this machine stands to swarms: in none, in one, or kept out of one that it belongs to, and why.
 * Nothing happens here; whoever changes it says so by `set`, `tell`, `lock` or `damaged`.
 */
export class NodeStanding {
  membership: Membership | undefined;
  readonly #listeners = new Set<() => void>();
  #phase: LocalNodeState = 'inactive';
  #error = '';
  #locked: LockedNode | undefined;
  #damage: SwarmError | undefined;

  get phase(): LocalNodeState {
    return this.#phase;
  }

  /** Why the phase is `error`; '' otherwise. */
  get error(): string {
    return this.#error;
  }

  get locked(): LockedNode | undefined {
    return this.#locked;
  }

  /** Why the membership on disk cannot be taken up; until it is left. */
  get damage(): SwarmError | undefined {
    return this.#damage;
  }

  get manager(): ManagerApi | undefined {
    return this.membership?.manager;
  }

  state(): SwarmNodeState {
    const { membership } = this;
    const { nodeId = '', record } = membership ?? this.#locked ?? {};
    return {
      nodeId,
      nodeAddr: record ? (splitHostPort(record.advertiseAddr, 0)?.host ?? '') : '',
      localNodeState: this.#phase,
      role: this.#role(),
      error: this.#error || membership?.trouble || textOf(membership?.manager?.failure),
      remoteManagers: this.#managers(),
    };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  set(phase: LocalNodeState, error = ''): void {
    this.#phase = phase;
    this.#error = error;
    this.tell();
  }

  lock(node: LockedNode): void {
    this.#locked = node;
    this.set('locked');
  }

  damaged(error: SwarmError): void {
    this.membership = undefined;
    this.#damage = error;
    this.set('error', textOf(error));
  }

  /** Nothing keeps it out any more: it was unlocked, or what is on disk is to go. */
  open(): void {
    this.#locked = undefined;
    this.#damage = undefined;
  }

  tell(): void {
    for (const listener of this.#listeners) listener();
  }

  /** A manager knows them by its log, also without a session. */
  #managers(): SwarmNodeState['remoteManagers'] {
    const members = this.manager?.members() ?? [];
    if (members.length > 0) return members.map(({ nodeId, addr }) => ({ nodeId, addr }));
    return (this.membership?.session?.managers ?? []).flatMap(({ peer }) =>
      peer ? [{ nodeId: peer.nodeId, addr: peer.addr }] : [],
    );
  }

  #role(): SwarmNodeState['role'] {
    if (this.#locked) return 'manager';
    const roles = { [NodeRole.WORKER]: 'worker', [NodeRole.MANAGER]: 'manager' } as const;
    const role = this.membership?.role ?? NodeRole.UNRECOGNIZED;
    return role === NodeRole.UNRECOGNIZED ? 'none' : roles[role];
  }
}

function textOf(failure: SwarmError | undefined): string {
  return failure ? `${failure.message.replace(/\.$/, '')}. ${failure.hint ?? ''}`.trim() : '';
}
