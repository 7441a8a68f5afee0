import type { SecurityConfig } from '../manager/index.ts';
import type { NodeDescription, NodeTLSInfo } from '../proto/gen/swarm/types.ts';
import type { SystemInfo } from './api/node-api.ts';

/** What the scheduler's plugin filter may find on a node of ours. */
const PLUGINS = [
  { type: 'Network', name: 'bridge' },
  { type: 'Network', name: 'host' },
  { type: 'Network', name: 'null' },
  { type: 'Network', name: 'overlay' },
  { type: 'Volume', name: 'local' },
  { type: 'Log', name: 'json-file' },
];

export interface GossipAddresses {
  readonly peerId: string;
  readonly addr: string; // host:port
  readonly dataPathAddr: string;
}

/** What a node tells the managers of itself. */
export function describeNode(
  system: SystemInfo,
  gossip: GossipAddresses,
  tls: Pick<SecurityConfig, 'rootCaPem' | 'issuer'>,
): NodeDescription {
  return {
    hostname: system.hostname,
    platform: { architecture: system.architecture, os: 'linux' },
    resources: { nanoCpus: system.cpus * 1e9, memoryBytes: system.memoryBytes, generic: [] },
    engine: {
      engineVersion: system.version,
      labels: Object.fromEntries(system.labels.map(splitLabel)),
      plugins: PLUGINS,
    },
    tlsInfo: tlsInfo(tls),
    fips: false,
    csiInfo: [],
    gossipPeerId: gossip.peerId,
    gossipAddr: gossip.addr,
    dataPathAddr: gossip.dataPathAddr,
  };
}

/** Whom this node trusts, and who signed its certificate, as `node inspect` shows them. */
function tlsInfo({ rootCaPem, issuer }: Pick<SecurityConfig, 'rootCaPem' | 'issuer'>): NodeTLSInfo {
  const none = Buffer.alloc(0);
  return {
    trustRoot: Buffer.from(rootCaPem),
    certIssuerSubject: issuer?.subject ?? none,
    certIssuerPublicKey: issuer?.publicKey ?? none,
  };
}

function splitLabel(label: string): [string, string] {
  const equals = label.indexOf('=');
  return [label.slice(0, equals), label.slice(equals + 1)];
}
