import { errorMessage } from '../common/errors.ts';
import type { Startable } from '../common/startable.ts';
import { nextTurn } from '../common/turns.ts';
import { Allocator } from './allocator/allocator.ts';
import {
  CertificateAuthority,
  type ExternalCaComponents,
  JoinReaper,
  RootRotator,
} from './ca/index.ts';
import { type ClusterSetup, setUpCluster } from './cluster-setup.ts';
import type { Consensus } from './consensus/index.ts';
import { Dispatcher } from './dispatcher/dispatcher.ts';
import { LogBroker } from './logbroker/log-broker.ts';
import type { ManagerComponents } from './manager-init.ts';
import { ManagerStatusKeeper } from './manager-status.ts';
import { ConstraintEnforcer } from './orchestrator/constraint-enforcer.ts';
import { Orchestrator } from './orchestrator/orchestrator.ts';
import { TaskReaper } from './orchestrator/task-reaper.ts';
import { RoleManager } from './role-manager.ts';
import { Scheduler } from './scheduler/scheduler.ts';
import type { Store } from './store/types.ts';
import type { ControlApi } from './types.ts';

export interface LeaderRoleComponents extends ManagerComponents {
  readonly store: Store;
  readonly consensus: Consensus;
  /** How CAs outside of the swarm are asked to sign. */
  readonly external: ExternalCaComponents;
  /** The operations of users, here at the leader. */
  readonly control: Pick<ControlApi, 'removeNode'>;
}

export interface LeaderRoleInit {
  readonly bootstrap: ClusterSetup['bootstrap'];
}

/**
 * What a manager does while it leads: everything that writes to the store by itself. One life per
 * leadership; the parts do not know each other and meet in the store only.
 */
export class LeaderRole implements Startable {
  readonly dispatcher: Dispatcher;
  readonly authority: CertificateAuthority;
  readonly logBroker: LogBroker;
  readonly #components: LeaderRoleComponents;
  readonly #init: LeaderRoleInit;
  readonly #parts: readonly [name: string, part: Startable][];
  readonly #started: [name: string, part: Startable][] = [];

  constructor(components: LeaderRoleComponents, init: LeaderRoleInit) {
    this.#components = components;
    this.#init = init;
    const { clusterId, nodeId } = components.securityConfig.identity;
    const named = (module: string) => ({
      ...components,
      logger: components.logger.child({ module }),
    });
    this.authority = new CertificateAuthority(named('ca'), { clusterId });
    const { consensus: membership, control } = components;
    this.dispatcher = new Dispatcher({ ...named('dispatcher'), membership }, { nodeId });
    this.logBroker = new LogBroker(named('logs'));
    this.#parts = [
      ['dispatcher', this.dispatcher],
      ['log-broker', this.logBroker],
      ['allocator', new Allocator(named('allocator'))],
      ['orchestrator', new Orchestrator(named('orchestrator'))],
      ['constraint-enforcer', new ConstraintEnforcer(named('constraints'))],
      ['task-reaper', new TaskReaper(named('reaper'))],
      ['scheduler', new Scheduler(named('scheduler'))],
      ['manager-status', new ManagerStatusKeeper(named('managers'))],
      ['roles', new RoleManager(named('roles'))],
      ['root-rotator', new RootRotator(named('ca'), { clusterId })],
      [
        'join-reaper',
        new JoinReaper({
          ...named('ca'),
          members: () => membership.members(),
          removeNode: (id) => control.removeNode(id, false),
        }),
      ],
    ];
  }

  /** Rejects, with nothing left running, when leadership ends before all of it runs. */
  async start(): Promise<void> {
    const { store, yieldTurn = nextTurn } = this.#components;
    const setup = { ...this.#components, ...this.#init };
    await store.update((tx) => setUpCluster(tx, setup));
    try {
      for (const [name, part] of this.#parts) {
        // Most of them begin with a look at everything, for which a turn each is enough.
        await yieldTurn(`leader: ${name}`);
        this.#started.push([name, part]);
        await part.start();
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Stops all of it, the last one first, whatever one of them may say. */
  async stop(): Promise<void> {
    for (const [name, part] of this.#started.splice(0).reverse()) {
      try {
        await part.stop();
      } catch (error) {
        const details = { part: name, err: errorMessage(error) };
        this.#components.logger.error(details, 'a part of the leader did not stop cleanly');
      }
    }
  }
}
