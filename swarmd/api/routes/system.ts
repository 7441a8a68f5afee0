import type { FastifyReply } from 'fastify';
import type { ManagerApi } from '../../../manager/index.ts';
import type { ApiComponents, RouteGroup } from '../components.ts';
import { containerSummary } from '../convert/container-summary.ts';
import { imageSummary } from '../convert/image.ts';
import { swarmWarnings } from '../convert/swarm-warnings.ts';
import {
  infoToApi,
  type SwarmFacts,
  swarmHeader,
  swarmInfoToApi,
  versionToApi,
} from '../convert/system.ts';
import { notImplemented } from '../http/errors.ts';
import { readJson } from '../http/json-body.ts';
import type { SwarmNodeApi } from '../node-api.ts';
import { registryLogin } from '../registry-login.ts';
import { usedVolumes, volumeToApi } from './volumes.ts';

/** The daemon itself: ping, version, info, disk usage, registry login. */
export const systemRoutes: RouteGroup = (app, components) => {
  const { node } = components;

  app.get('/_ping', async (_request, reply) => ping(node, reply).send('OK'));

  app.head('/_ping', async (_request, reply) =>
    ping(node, reply).header('content-length', '0').send(),
  );

  app.get('/version', async () => versionToApi(node.systemInfo(), `node ${process.version}`));

  app.get('/info', async () => {
    const { manager } = node;
    const warnings = swarmWarnings(manager?.members() ?? []);
    const facts = manager && swarmFacts(manager);
    return infoToApi({
      system: node.systemInfo(),
      containers: node.engine.list(),
      images: (await node.engine.images.list()).length,
      swarm: swarmInfoToApi(node.state(), facts, warnings),
      now: components.clock.now(),
    });
  });

  app.get('/system/df', async () => diskUsage(components));

  app.post('/auth', async (request) => {
    const body = await readJson(request);
    return registryLogin(components, {
      username: body.string('username'),
      password: body.string('password'),
      serverAddress: body.string('serveraddress'),
    });
  });

  app.get('/plugins', async () => []);

  for (const url of ['/build', '/session', '/commit', '/build/prune']) {
    app.post(url, async () => {
      throw notImplemented('this engine runs images, it does not build them');
    });
  }
};

function ping(node: SwarmNodeApi, reply: FastifyReply): FastifyReply {
  return reply
    .header('cache-control', 'no-cache, no-store, must-revalidate')
    .header('pragma', 'no-cache')
    .header('content-type', 'text/plain; charset=utf-8')
    .header('builder-version', '1')
    .header('swarm', swarmHeader(node.state(), node.manager !== undefined));
}

/** From this manager's own copy: `info` answers also while the swarm has no leader. */
function swarmFacts(manager: ManagerApi): SwarmFacts {
  return manager.readLocal((tx) => ({
    cluster: [...tx.all('cluster')][0],
    nodes: tx.count('node'),
    // Nodes that only have the role are not counted: they are managers once they are Raft members.
    managers: manager.members().length,
  }));
}

async function diskUsage({ node, clock }: ApiComponents) {
  const containers = node.engine.list();
  const images = await node.engine.images.list();
  const used = usedVolumes(node.engine);
  return {
    LayersSize: images.reduce((sum, { size }) => sum + size, 0),
    Images: images.map((image) => imageSummary(image, containers)),
    Containers: containers.map((container) => ({
      ...containerSummary(container, clock.now()),
      SizeRw: 0,
      SizeRootFs: 0,
    })),
    Volumes: node.engine.volumes.list().map((volume) => ({
      ...volumeToApi(volume),
      UsageData: { RefCount: used.has(volume.name) ? 1 : 0, Size: -1 },
    })),
    BuildCache: [],
  };
}
