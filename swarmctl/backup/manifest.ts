/** What a backup says about itself, as far as it is shown. */
export interface BackupManifest {
  readonly format: number;
  /** RFC 3339. */
  readonly createdAt: string;
  readonly clusterId: string;
  readonly nodeId: string;
  readonly index: number;
  readonly locked: boolean;
  readonly membership: { readonly members: readonly { nodeId: string; addr: string }[] };
  readonly objects: Readonly<Record<string, number>>;
  readonly files: readonly BackupFile[];
}

export interface BackupFile {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}
