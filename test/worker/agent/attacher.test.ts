import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SwarmError } from '../../../common/errors.ts';
import { silentLogger } from '../../../common/logger.ts';
import { Task } from '../../../proto/gen/swarm/objects.ts';
import { Attacher } from '../../../worker/agent/attacher.ts';
import type { ManagerConnection } from '../../../worker/agent/connection.ts';
import { VirtualClock } from '../../support/virtual-clock.ts';

const request = { containerId: 'c1', network: 'back', aliases: ['db'], addresses: [] };

class World {
  readonly clock = new VirtualClock();
  readonly detached: string[] = [];
  tasks: Task[] = [];
  refuse: SwarmError | undefined;
  readonly #listeners = new Set<(task: Task) => void>();
  readonly attacher = new Attacher({
    clock: this.clock,
    logger: silentLogger,
    connection: async () => this.#connection(),
    tasks: () => this.tasks,
    onTask: (listener) => {
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    },
  });

  assign(task: Task): void {
    this.tasks.push(task);
    for (const listener of this.#listeners) listener(task);
  }

  get listening(): number {
    return this.#listeners.size;
  }

  #connection(): ManagerConnection {
    const partial: Partial<ManagerConnection> = {
      attachNetwork: async () => {
        if (this.refuse) throw this.refuse;
        return { attachmentId: 'task-1' };
      },
      detachNetwork: async ({ attachmentId }) => {
        this.detached.push(attachmentId);
      },
    };
    return partial as ManagerConnection;
  }
}

const assigned = Task.fromPartial({
  id: 'task-1',
  networks: [
    {
      network: { id: 'net-1', spec: { annotations: { name: 'back' } } },
      addresses: ['10.0.1.9/24'],
    },
  ],
});

test('an attachment is there once its task is assigned with an address', async () => {
  const world = new World();
  const attaching = world.attacher.attach(request);
  await world.clock.advance(100);
  world.assign(Task.fromPartial({ id: 'task-1' }));
  world.assign(Task.fromPartial({ id: 'other' }));
  await world.clock.advance(100);
  world.assign(assigned);
  const { attachmentId, endpoint } = await attaching;
  assert.equal(attachmentId, 'task-1');
  assert.equal(endpoint.network.name, 'back');
  assert.deepEqual(endpoint.addresses, ['10.0.1.9/24']);
  assert.deepEqual(endpoint.aliases, ['db']);
  assert.equal(endpoint.service, undefined);
  assert.equal(world.listening, 0);
});

test('one that was assigned before the answer came is found', async () => {
  const world = new World();
  world.tasks = [assigned];
  assert.equal((await world.attacher.attach(request)).attachmentId, 'task-1');
});

test('an attachment that does not come within 20 s is given back', async () => {
  const world = new World();
  const attaching = world.attacher.attach(request);
  const failed = assert.rejects(attaching, {
    code: 'SWM_TIMEOUT',
    message: /^attaching to network failed, make sure your network options are correct/,
  });
  await world.clock.advance(20_000);
  await failed;
  assert.deepEqual(world.detached, ['task-1']);
  assert.equal(world.listening, 0);
});

test('a network that may not be joined by hand is refused as Docker does', async () => {
  const world = new World();
  world.refuse = new SwarmError('SWM_PERMISSION_DENIED', 'network back not manually attachable');
  await assert.rejects(world.attacher.attach(request), {
    message:
      'Could not attach to network back: rpc error: code = PermissionDenied ' +
      'desc = network back not manually attachable',
  });
  assert.deepEqual(world.detached, []);
});

test('an attachment that the manager does not know any more is detached already', async () => {
  const world = new World();
  await world.attacher.detach('task-9');
  assert.deepEqual(world.detached, ['task-9']);
});
