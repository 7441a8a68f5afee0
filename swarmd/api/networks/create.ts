import { SwarmError } from '../../../common/errors.ts';
import type { SubnetConfig } from '../../../netdriver/index.ts';
import type { IPAMConfig } from '../../../proto/gen/swarm/types.ts';
import type { ApiComponents } from '../components.ts';
import { ipamConfigFromApi, networkSpecFromApi } from '../convert/network.ts';
import { requireManager } from '../guards.ts';
import { badRequest, conflict, forbidden, notFound, notImplemented } from '../http/errors.ts';
import type { JsonReader } from '../http/json-reader.ts';
import { checkIpam } from './check-ipam.ts';
import { listNetworks } from './directory.ts';

const PREDEFINED = ['bridge', 'host', 'none'];

/** POST /networks/create: decides whose network it is, and has it made. Resolves with its id. */
export async function createNetwork(
  components: ApiComponents,
  json: JsonReader,
): Promise<{ id: string; warning: string }> {
  const { node } = components;
  const name = json.string('Name');
  const driver = json.string('Driver') || (json.boolean('Ingress') ? 'overlay' : 'bridge');
  const isSwarm =
    driver === 'overlay' || json.string('Scope') === 'swarm' || json.boolean('Ingress');
  checkRequest(json, name, isSwarm);
  const existing = (await listNetworks(node)).find((network) => network.name === name);
  if (isSwarm && !node.manager) throw noManagerFor(components);
  if (existing) throw conflict(`network with name ${name} already exists`);
  return isSwarm ? createInSwarm(components, json) : createLocally(components, json, driver);
}

function checkRequest(json: JsonReader, name: string, isSwarm: boolean): void {
  if (name === '') throw badRequest('invalid network name: it must not be empty');
  if (PREDEFINED.includes(name)) {
    throw forbidden(
      isSwarm
        ? `${name} is a pre-defined network and cannot be created`
        : `operation is not permitted on predefined ${name} network`,
    );
  }
  if (json.optionalBoolean('EnableIPv4') === false) {
    if (isSwarm) throw badRequest('IPv4 cannot be disabled in a Swarm scoped network');
    throw notImplemented('networks without IPv4 are not supported');
  }
  if (json.boolean('ConfigOnly') || json.object('ConfigFrom')?.string('Network')) {
    throw notImplemented('networks that only hold a configuration are not supported');
  }
  checkIpam(ipamConfigs(json), json.boolean('EnableIPv6'));
}

/** Only managers make networks of the swarm. */
function noManagerFor({ node }: ApiComponents): SwarmError {
  const { localNodeState, role } = node.state();
  if (localNodeState === 'active' && role === 'worker') {
    return forbidden(
      'Cannot create a multi-host network from a worker node. Please create the network from a manager node.',
    );
  }
  try {
    requireManager(node);
  } catch (error) {
    if (error instanceof SwarmError) return error;
    throw error;
  }
  return new SwarmError('SWM_UNAVAILABLE', 'the manager of this node has just changed; try again');
}

async function createInSwarm({ node }: ApiComponents, json: JsonReader) {
  const spec = networkSpecFromApi(json);
  const network = await requireManager(node).control.createNetwork(spec);
  return { id: network.id, warning: '' };
}

async function createLocally(
  { node, events, clock }: ApiComponents,
  json: JsonReader,
  driver: string,
) {
  if (driver === 'host' || driver === 'null') {
    throw forbidden(`only one instance of "${driver}" network is allowed`);
  }
  if (driver !== 'bridge') {
    throw notFound(`could not find network driver "${driver}": this node has overlay and bridge`);
  }
  const network = await node.netdriver.createLocalNetwork({
    name: json.string('Name'),
    driver,
    subnets: ipamConfigs(json).map(subnetOf),
    internal: json.boolean('Internal'),
    attachable: json.boolean('Attachable'),
    options: json.stringMap('Options'),
    labels: json.stringMap('Labels'),
  });
  events.publish({
    type: 'network',
    action: 'create',
    id: network.id,
    attributes: { name: network.name, type: driver },
    scope: 'local',
    timeMs: clock.now(),
  });
  return { id: network.id, warning: '' };
}

function subnetOf({ subnet, gateway, range }: IPAMConfig): Partial<SubnetConfig> {
  return {
    ...(subnet ? { subnet } : {}),
    ...(gateway ? { gateway } : {}),
    ...(range ? { range } : {}),
  };
}

function ipamConfigs(json: JsonReader): IPAMConfig[] {
  return json.object('IPAM')?.objects('Config').map(ipamConfigFromApi) ?? [];
}
