import { isSwarmError } from '../../../common/errors.ts';
import { type ManagerApi, PREDEFINED_LABEL, type ReadTx } from '../../../manager/index.ts';
import type { Network } from '../../../proto/gen/swarm/objects.ts';
import { localNetworkToApi, presentNetworkToApi } from '../convert/local-network.ts';
import { networkToApi } from '../convert/network.ts';
import { badRequest, notFound } from '../http/errors.ts';
import type { SwarmNodeApi } from '../node-api.ts';

export interface ListedNetwork {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly scope: 'local' | 'swarm';
  readonly ingress: boolean;
  readonly predefined: boolean;
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly inUse: boolean;
  /** As GET /networks shows it. */
  readonly json: Record<string, unknown>;
}

/**
 * Every network this node can name: its own, and those of the swarm. A manager knows them all, a
 * worker the ones that are present on it.
 */
export async function listNetworks(node: SwarmNodeApi): Promise<ListedNetwork[]> {
  const local = localNetworks(node);
  const taken = new Set(local.map(({ id }) => id));
  const swarm = node.manager ? await swarmNetworks(node.manager) : presentNetworks(node);
  return [...local, ...swarm.filter(({ id }) => !taken.has(id))];
}

/** The network that `ref` means: a full id, else a full name, else the unique prefix of an id. */
export function findNetwork(networks: readonly ListedNetwork[], ref: string): ListedNetwork {
  const exact = networks.find(({ id }) => id === ref);
  if (exact) return exact;
  const named = networks.filter(({ name }) => name === ref);
  const matches = named.length > 0 ? named : networks.filter(({ id }) => id.startsWith(ref));
  const [match] = matches;
  if (!match || ref === '') throw notFound(`network ${ref} not found`);
  if (matches.length > 1) {
    const basis = named.length > 0 ? 'name' : 'ID prefix';
    throw badRequest(
      `network ${ref} is ambiguous (${matches.length} matches found based on ${basis})`,
    );
  }
  return match;
}

function localNetworks({ netdriver }: SwarmNodeApi): ListedNetwork[] {
  return netdriver.localNetworks().map((network) => ({
    ...network,
    scope: 'local',
    inUse: Object.keys(netdriver.inspect(network.id)?.containers ?? {}).length > 0,
    json: localNetworkToApi(network),
  }));
}

function presentNetworks({ netdriver }: SwarmNodeApi): ListedNetwork[] {
  return netdriver.overlays().map((network) => ({
    ...network,
    scope: 'swarm',
    predefined: false,
    createdAt: 0,
    inUse: true,
    json: presentNetworkToApi(network),
  }));
}

async function swarmNetworks(manager: ManagerApi): Promise<ListedNetwork[]> {
  try {
    return await manager.read(readNetworks);
  } catch (error) {
    // Without a leader the node's own networks can still be listed, and the rest as last known.
    if (!isSwarmError(error, 'SWM_NO_LEADER')) throw error;
    return manager.readLocal(readNetworks);
  }
}

/** Without the swarm's stand-ins for every node's own `host` and `bridge`. */
function readNetworks(tx: ReadTx): ListedNetwork[] {
  return [...tx.all('network')]
    .filter(({ spec }) => !Object.hasOwn(spec?.annotations?.labels ?? {}, PREDEFINED_LABEL))
    .map((network) => listed(tx, network));
}

function listed(tx: ReadTx, network: Network): ListedNetwork {
  const { id, spec, meta } = network;
  const byNetwork = { networkId: id };
  return {
    id,
    name: spec?.annotations?.name ?? '',
    driver: network.driverState?.name || spec?.driverConfig?.name || 'overlay',
    scope: 'swarm',
    ingress: spec?.ingress ?? false,
    predefined: false,
    createdAt: meta?.createdAt?.getTime() ?? 0,
    labels: spec?.annotations?.labels ?? {},
    inUse: tx.find('task', byNetwork).length > 0 || tx.find('service', byNetwork).length > 0,
    json: networkToApi(network),
  };
}
