import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Pack, pack } from 'tar-stream';
import type { Clock } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import type { Pacing } from '../../common/slices.ts';
import type { KeyFile, SecurityConfig } from '../ca/index.ts';
import { type Capture, frame, Vault } from '../consensus/index.ts';
import { kinds } from '../store/kinds.ts';
import type { Store } from '../store/types.ts';
import {
  type BackupFile,
  type BackupManifest,
  CERTIFICATE,
  chunkName,
  FORMAT,
  KEYS,
  MANIFEST,
  ROOT_CA,
  TLS_KEY,
} from './archive.ts';

const CHUNK_BYTES = 256 * 1024;

export interface BackupComponents extends Pacing {
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Pick<Store, 'view'>;
  readonly consensus: { capture(): Capture };
  readonly keys: KeyFile;
  readonly securityConfig: Pick<SecurityConfig, 'identity' | 'copy'>;
}

/** The manager as of this call, as a tar (see `archive.ts`); the cluster goes on meanwhile. */
export function writeBackup(components: BackupComponents): AsyncIterable<Buffer> {
  // All that belongs together is taken here, before anything can change.
  const { clock, keys, securityConfig, store } = components;
  const { state, pieces } = components.consensus.capture();
  const { text, key } = keys.copy();
  const locked = keys.unlockKey !== undefined;
  const files = securityConfig.copy(locked ? keys.passphrase : undefined);
  const { clusterId, nodeId } = securityConfig.identity;
  const { index, term, membership } = state;
  const about: Omit<BackupManifest, 'files'> = {
    format: FORMAT,
    createdAt: new Date(clock.now()).toISOString(),
    clusterId,
    nodeId,
    index,
    term,
    membership,
    locked,
    objects: store.view((tx) => Object.fromEntries(kinds.map((kind) => [kind, tx.count(kind)]))),
  };
  return streamed(async function* () {
    yield [ROOT_CA, Buffer.from(files.rootCaPem)];
    yield [CERTIFICATE, Buffer.from(files.certificatePem)];
    yield [TLS_KEY, Buffer.from(files.keyPem + files.certificatePem)];
    yield [KEYS, Buffer.from(text)];
    yield* sealed(components, key, pieces);
  }, about);
}

type Entry = readonly [name: string, content: Buffer];

async function* sealed(
  components: BackupComponents,
  key: Uint8Array,
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Entry> {
  const { random, clock, yieldTurn } = components;
  const vault = new Vault({ random, keys: { current: key, all: [key] } });
  let n = 0;
  const options = { clock, yieldTurn, chunkBytes: CHUNK_BYTES };
  for await (const chunk of frame(pieces, options)) {
    const name = chunkName(n++);
    yield [name, vault.seal(name, chunk)];
  }
}

async function* streamed(
  entries: () => AsyncIterable<Entry>,
  about: Omit<BackupManifest, 'files'>,
): AsyncGenerator<Buffer> {
  const tar = pack();
  const writing = writeAll(tar, entries(), about).catch((error: Error) => tar.destroy(error));
  try {
    for await (const chunk of tar) yield chunk as Buffer;
  } finally {
    tar.destroy();
    await writing;
  }
}

async function writeAll(
  tar: Pack,
  entries: AsyncIterable<Entry>,
  about: Omit<BackupManifest, 'files'>,
): Promise<void> {
  const files: BackupFile[] = [];
  const mtime = new Date(about.createdAt);
  const add = ([name, content]: Entry) => {
    const header = { name, size: content.length, mode: 0o600, mtime };
    return pipeline(Readable.from([content]), tar.entry(header));
  };
  for await (const entry of entries) {
    const [name, content] = entry;
    const sha256 = createHash('sha256').update(content).digest('hex');
    files.push({ name, size: content.length, sha256 });
    await add(entry);
  }
  const manifest: BackupManifest = { ...about, files };
  await add([MANIFEST, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)]);
  tar.finalize();
}
