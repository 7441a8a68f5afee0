import type { RaftMembership } from '../../proto/gen/swarm/raft.ts';
import type { Kind } from '../store/types.ts';

/**
 * A backup is a tar of these files, the manifest last, so that an archive that was cut short has none.
 * The snapshot is in pieces, each sealed with the data key of `KEYS`; that and the TLS key are locked
 * as the manager's own are.
 */
export const MANIFEST = 'manifest.json';
export const ROOT_CA = 'certificates/swarm-root-ca.crt';
export const CERTIFICATE = 'certificates/swarm-node.crt';
export const TLS_KEY = 'certificates/swarm-node.key';
export const KEYS = 'raft/keys.json';
const CHUNK = /^raft\/snapshot\/\d{8}$/;

export const FORMAT = 1;

export interface BackupManifest {
  readonly format: number;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly clusterId: string;
  /** Of the manager that the backup is of. */
  readonly nodeId: string;
  /** Up to where the log is in it. */
  readonly index: number;
  readonly term: number;
  readonly membership: RaftMembership;
  /** It takes the unlock key to recover. */
  readonly locked: boolean;
  readonly objects: Readonly<Partial<Record<Kind, number>>>;
  /** Every other file, in the order of the archive. */
  readonly files: readonly BackupFile[];
}

export interface BackupFile {
  readonly name: string;
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export function chunkName(n: number): string {
  return `raft/snapshot/${String(n).padStart(8, '0')}`;
}

export function isChunk(name: string): boolean {
  return CHUNK.test(name);
}

export function isBackupFile(name: string): boolean {
  return [MANIFEST, ROOT_CA, CERTIFICATE, TLS_KEY, KEYS].includes(name) || isChunk(name);
}
