import { join } from 'node:path';
import {
  type KeyFile,
  type ManagerMode,
  readManagerKeys,
  SecurityConfig,
  type SecurityConfigComponents,
} from '../manager/index.ts';
import { Membership, type MembershipComponents } from './membership.ts';
import { damagedMembership, type NodeRecord, swarmDir } from './node-files.ts';

export interface MembershipFactoryInit {
  readonly stateDir: string;
  readonly gossipPort: number;
  /** The managers known now, if there is a membership already. */
  readonly managers: () => readonly string[] | undefined;
  readonly onChange: () => void;
}

/** Puts memberships together: new ones, and those whose state is on disk. */
export class MembershipFactory {
  readonly #components: MembershipComponents;
  readonly #init: MembershipFactoryInit;

  constructor(components: MembershipComponents, init: MembershipFactoryInit) {
    this.#components = components;
    this.#init = init;
  }

  /**
   * The membership on disk. Throws SWM_LOCKED without the unlock key that it needs,
   * SWM_UNAUTHENTICATED with a wrong one, SWM_DAMAGED when it is not whole.
   */
  async load(
    record: NodeRecord,
    unlockKey?: Uint8Array,
    mode: ManagerMode = { type: 'restart' },
  ): Promise<Membership> {
    const stateDir = swarmDir(this.#init.stateDir);
    const keys = await readManagerKeys(this.#components, stateDir, unlockKey);
    const init = { stateDir, passphrase: keys?.passphrase };
    const securityConfig = await SecurityConfig.load(this.securityComponents(record), init);
    if (securityConfig) return this.create(record, securityConfig, mode, keys);
    throw damagedMembership(join(stateDir, 'certificates'), 'it is missing');
  }

  create(
    record: NodeRecord,
    securityConfig: SecurityConfig,
    managerMode: ManagerMode,
    keys?: KeyFile,
  ): Membership {
    const { stateDir, gossipPort, onChange } = this.#init;
    const init = { stateDir, gossipPort, record, securityConfig, managerMode, keys, onChange };
    return new Membership(this.#components, init);
  }

  securityComponents(record: NodeRecord): SecurityConfigComponents {
    const { clock, random, logger } = this.#components;
    const remotes = () => this.#init.managers() ?? record.managers;
    return { clock, random, logger: logger.child({ module: 'ca' }), remotes };
  }
}
