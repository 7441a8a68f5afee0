import { SwarmError } from '../../../common/errors.ts';
import {
  NodeSpec_Availability as Availability,
  type ClusterSpec,
} from '../../../proto/gen/swarm/specs.ts';
import { checkInit } from '../check-init.ts';
import type { RouteGroup } from '../components.ts';
import { clusterSpecFromApi, defaultClusterSpec, swarmToApi } from '../convert/cluster.ts';
import { availabilities } from '../convert/node.ts';
import { alreadyInSwarm, noSwarm, requireManager } from '../guards.ts';
import { badRequest, conflict } from '../http/errors.ts';
import { readJson } from '../http/json-body.ts';
import type { JsonReader } from '../http/json-reader.ts';
import { Query } from '../http/query.ts';
import { leaveWarning } from '../leave-warning.ts';
import { clusterOf } from '../lookup.ts';
import type { InitRequest, JoinRequest, SwarmNodeApi } from '../node-api.ts';

/** The swarm as a whole: making, joining, leaving, unlocking and configuring it. */
export const swarmRoutes: RouteGroup = (app, { node }) => {
  app.post('/swarm/init', async (request) => {
    const init = initFromApi(await readJson(request));
    if (!init.forceNewCluster && node.state().localNodeState !== 'inactive') throw alreadyInSwarm();
    checkInit(init);
    // The body is a JSON string, which fastify would send without its quotes.
    return JSON.stringify(await node.init(init));
  });

  app.post('/swarm/join', async (request, reply) => {
    const join = joinFromApi(await readJson(request));
    if (node.state().localNodeState !== 'inactive') throw alreadyInSwarm();
    if (join.remoteAddrs.length === 0) {
      throw badRequest('at least 1 RemoteAddr is required to join');
    }
    await node.join(join);
    return reply.send();
  });

  app.post('/swarm/leave', async (request, reply) => {
    await leave(node, new Query(request).flag('force'));
    return reply.send();
  });

  app.post('/swarm/unlock', async (request, reply) => {
    const key = (await readJson(request)).string('UnlockKey');
    await unlock(node, key);
    return reply.send();
  });

  app.get('/swarm', async () => swarmToApi(await requireManager(node).read(clusterOf)));

  app.get('/swarm/unlockkey', async () => ({ UnlockKey: await requireManager(node).unlockKey() }));

  app.post('/swarm/update', async (request, reply) => {
    const manager = requireManager(node);
    const query = new Query(request);
    const version = query.version('swarm');
    const spec = clusterSpecFromApi(await readJson(request));
    if (spec.annotations?.name !== 'default') {
      throw badRequest('swarm spec must be named "default"');
    }
    await manager.control.updateCluster(version, spec, {
      workerJoinToken: query.flag('rotateWorkerToken'),
      managerJoinToken: query.flag('rotateManagerToken'),
      managerUnlockKey: query.flag('rotateManagerUnlockKey'),
    });
    return reply.send();
  });
};

async function leave(node: SwarmNodeApi, force: boolean): Promise<void> {
  const { localNodeState, role } = node.state();
  if (localNodeState === 'inactive') throw noSwarm();
  if (!force && localNodeState === 'locked') {
    throw new SwarmError(
      'SWM_LOCKED',
      'Swarm is encrypted and locked. Please unlock it first or use `--force` to ignore this message.',
    );
  }
  if (!force && role === 'manager') {
    throw new SwarmError('SWM_UNAVAILABLE', leaveWarning(node.manager?.members()));
  }
  await node.leave(force);
}

async function unlock(node: SwarmNodeApi, key: string): Promise<void> {
  const { localNodeState } = node.state();
  if (localNodeState === 'inactive') throw noSwarm();
  if (localNodeState !== 'locked') throw conflict('swarm is not locked');
  await node.unlock(key);
}

function initFromApi(json: JsonReader): InitRequest {
  const spec = json.object('Spec');
  const merged: ClusterSpec = spec ? clusterSpecFromApi(spec) : defaultClusterSpec;
  const autoLock = merged.encryptionConfig?.autoLockManagers || json.boolean('AutoLockManagers');
  return {
    listenAddr: json.string('ListenAddr'),
    advertiseAddr: json.string('AdvertiseAddr'),
    dataPathAddr: json.string('DataPathAddr'),
    dataPathPort: json.count('DataPathPort'),
    forceNewCluster: json.boolean('ForceNewCluster'),
    spec: { ...merged, encryptionConfig: { autoLockManagers: autoLock } },
    availability: availabilities.fromField(json, 'Availability', Availability.ACTIVE),
    defaultAddrPool: json.strings('DefaultAddrPool'),
    subnetSize: json.count('SubnetSize'),
  };
}

function joinFromApi(json: JsonReader): JoinRequest {
  return {
    listenAddr: json.string('ListenAddr'),
    advertiseAddr: json.string('AdvertiseAddr'),
    dataPathAddr: json.string('DataPathAddr'),
    remoteAddrs: json.strings('RemoteAddrs'),
    joinToken: json.string('JoinToken'),
    availability: availabilities.fromField(json, 'Availability', Availability.ACTIVE),
  };
}
