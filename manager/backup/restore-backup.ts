import { X509Certificate } from 'node:crypto';
import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';
import type { Random } from '../../common/random.ts';
import type { Cluster } from '../../proto/gen/swarm/objects.ts';
import { NodeRole } from '../../proto/gen/swarm/types.ts';
import {
  createCertificateRequest,
  decryptKey,
  encryptKey,
  httpsPost,
  KeyFile,
  NodeSigner,
  writeNodeFiles,
} from '../ca/index.ts';
import { restoreLog, unframe, Vault } from '../consensus/index.ts';
import { keyPath, logDir } from '../raft-state.ts';
import { kinds } from '../store/kinds.ts';
import { readSnapshot } from '../store/snapshot.ts';
import type { Tables } from '../store/table.ts';
import { type BackupManifest, isChunk, KEYS, ROOT_CA, TLS_KEY } from './archive.ts';
import { unpackBackup } from './unpack-backup.ts';

export interface RestoreComponents {
  readonly clock: Clock;
  readonly random: Random;
}

export interface RestoreInit {
  readonly archive: AsyncIterable<Uint8Array>;
  /** An empty directory to work in. */
  readonly scratchDir: string;
  /** Where the state of the membership is to be made; nothing is there yet. */
  readonly stateDir: string;
  /** host:port that the manager is reached at from now on. */
  readonly advertiseAddr: string;
  /** Needed when the managers were locked. */
  readonly unlockKey?: Uint8Array | undefined;
}

export interface RestoredManager {
  readonly manifest: BackupManifest;
  /** UDP port of VXLAN in this cluster. */
  readonly dataPathPort: number;
}

/**
 * Makes the state of a manager out of a backup: the same node, the only manager of its cluster, at a
 * new address. Reads the whole backup before it says that it is good. Throws SWM_INVALID_ARGUMENT for
 * one that is damaged, SWM_LOCKED and SWM_UNAUTHENTICATED about its key.
 */
export async function restoreBackup(
  components: RestoreComponents,
  init: RestoreInit,
): Promise<RestoredManager> {
  const { scratchDir, stateDir, unlockKey } = init;
  const manifest = await unpackBackup(init.archive, scratchDir);
  const path = keyPath(stateDir);
  await cp(join(scratchDir, KEYS), path);
  const keys = await KeyFile.read(components, { path, unlockKey });
  if (!keys) throw new SwarmError('SWM_INTERNAL', `${path} is gone`);
  const vault = new Vault({ random: components.random, keys });
  const pieces = () => unframe(chunks(vault, scratchDir, manifest));
  const tables = await readSnapshot(pieces(), components);
  const cluster = checkObjects(tables, manifest);
  await restoreCertificate(components, init, { manifest, keys, cluster });
  const { nodeId, index, term, membership } = manifest;
  await restoreLog(
    { ...components, keys },
    {
      dir: logDir(stateDir),
      nodeId,
      addr: init.advertiseAddr,
      index,
      term,
      membership,
      pieces: pieces(),
    },
  );
  return { manifest, dataPathPort: cluster.vxlanUdpPort };
}

async function* chunks(
  vault: Vault,
  dir: string,
  { files }: BackupManifest,
): AsyncGenerator<Buffer> {
  for (const { name } of files) {
    if (isChunk(name)) yield vault.open(name, await readFile(join(dir, name)));
  }
}

function checkObjects(tables: Tables, manifest: BackupManifest): Cluster {
  for (const kind of kinds) {
    const found = [...tables[kind].values()].length;
    const wanted = manifest.objects[kind] ?? 0;
    if (found === wanted) continue;
    const message = `the backup was to hold ${wanted} objects of kind ${kind}, and holds ${found}`;
    throw new SwarmError('SWM_INVALID_ARGUMENT', message);
  }
  const cluster = tables.cluster.get(manifest.clusterId);
  if (cluster) return cluster;
  throw new SwarmError(
    'SWM_INVALID_ARGUMENT',
    `cluster ${manifest.clusterId} is not in the backup`,
  );
}

/** The one of the backup or, when that has expired, a new one by the root that the backup holds. */
async function restoreCertificate(
  { clock }: RestoreComponents,
  { scratchDir, stateDir }: RestoreInit,
  from: { manifest: BackupManifest; keys: KeyFile; cluster: Cluster },
): Promise<void> {
  const { manifest, keys, cluster } = from;
  const rootCaPem = await readFile(join(scratchDir, ROOT_CA), 'utf8');
  const stored = await readFile(join(scratchDir, TLS_KEY), 'utf8');
  const start = stored.indexOf('-----BEGIN CERTIFICATE-----');
  let certificatePem = stored.slice(start);
  let keyPem = decryptKey(stored.slice(0, start), keys.passphrase);
  const now = clock.now();
  if (Date.parse(new X509Certificate(certificatePem).validTo) <= now) {
    const request = await createCertificateRequest();
    const { nodeId, clusterId } = manifest;
    const identity = { nodeId, role: NodeRole.MANAGER, clusterId };
    // No other manager is there to vouch for this node at an external CA.
    const external = { post: httpsPost, tls: () => ({ rootCaPem, certificatePem, keyPem }) };
    const signer = new NodeSigner({ clock, external });
    certificatePem = await signer.sign(cluster, request.csrPem, identity);
    keyPem = request.privateKeyPem;
  }
  const files = { rootCaPem, certificatePem, keyPem };
  const locked = { ...files, keyPem: encryptKey(keyPem, keys.passphrase) };
  await writeNodeFiles(stateDir, manifest.locked ? locked : files);
}
