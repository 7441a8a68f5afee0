import type { ContainerConfig } from './config-types.ts';

export interface ImageSummary {
  readonly id: string; // sha256:<hex> of the config
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly createdAt: number;
  readonly size: number;
  readonly labels: Readonly<Record<string, string>>;
}

export interface ImageDetail extends ImageSummary {
  readonly architecture: string;
  readonly os: string;
  readonly config: Partial<ContainerConfig>;
  readonly layers: readonly string[]; // diff ids
  readonly history: readonly {
    created: number;
    createdBy: string;
    comment: string;
    emptyLayer: boolean;
  }[];
}

/** One line of the JSON progress that pull and load print. */
export interface ProgressMessage {
  status?: string;
  id?: string;
  progress?: string;
  progressDetail?: { current?: number; total?: number };
  stream?: string;
}

export interface RegistryAuth {
  username?: string;
  password?: string;
  identitytoken?: string;
  registrytoken?: string;
  serveraddress?: string;
}

export type Progress = (message: ProgressMessage) => void;

export interface ImagesApi {
  /** `reference` as users write it: busybox, host:5000/a/b:tag, name@sha256:…. Throws SWM_NOT_FOUND. */
  pull(
    reference: string,
    options: { auth?: RegistryAuth; platform?: string; progress?: Progress; signal?: AbortSignal },
  ): Promise<ImageDetail>;
  /** A docker save or OCI archive. Returns the loaded references, ids for images without one. */
  load(tar: AsyncIterable<Buffer>, progress?: Progress): Promise<string[]>;
  /** A root file system as one layer. */
  import(
    tar: AsyncIterable<Buffer>,
    options: { repo?: string; tag?: string; message?: string; changes?: string[] },
  ): Promise<string>;
  save(references: readonly string[]): AsyncIterable<Buffer>;
  list(): Promise<readonly ImageSummary[]>;
  /** By id, id prefix or reference. Throws SWM_NOT_FOUND `No such image: x:latest`. */
  inspect(reference: string): Promise<ImageDetail>;
  tag(reference: string, repo: string, tag: string): Promise<void>;
  /** [{Untagged|Deleted}] as the API answers. Throws SWM_CONFLICT while a container uses it. */
  remove(
    reference: string,
    options: { force: boolean; noprune: boolean },
  ): Promise<{ Untagged?: string; Deleted?: string }[]>;
  prune(
    dangling: boolean,
  ): Promise<{ deleted: { Untagged?: string; Deleted?: string }[]; reclaimed: number }>;
  /** Digest and platforms of a reference at its registry: GET /distribution/{name}/json. */
  distribution(
    reference: string,
    auth?: RegistryAuth,
  ): Promise<{
    mediaType: string;
    digest: string;
    size: number;
    platforms: { architecture: string; os: string; variant?: string }[];
  }>;
}
