import { errorMessage, SwarmError } from '../../../common/errors.ts';
import type { RegistryAuth } from '../../engine/types.ts';
import { basicAuthorization, type Challenge, fetchToken, parseChallenge } from './auth.ts';
import { sha256 } from './content.ts';
import { familiarName, type Reference } from './reference.ts';
import { type RegistryHostInit, registryBase } from './registry-host.ts';
import { type Descriptor, MediaType } from './types.ts';

const MANIFEST_BYTES_MAX = 4 * 1024 * 1024;

const ACCEPT = [
  MediaType.ociIndex,
  MediaType.dockerIndex,
  MediaType.ociManifest,
  MediaType.dockerManifest,
].join(', ');

export interface FetchedManifest {
  readonly descriptor: Descriptor;
  readonly data: Buffer;
}

/** One repository at its registry: the OCI distribution protocol, read only. */
export class Repository {
  readonly #reference: Reference;
  readonly #auth: RegistryAuth | undefined;
  readonly #base: string;
  readonly #signal: AbortSignal | undefined;
  #authorization: string | undefined;
  #renewing: Promise<void> | undefined;

  constructor(
    reference: Reference,
    init: RegistryHostInit & { auth?: RegistryAuth | undefined; signal?: AbortSignal | undefined },
  ) {
    this.#reference = reference;
    this.#auth = init.auth;
    this.#signal = init.signal;
    this.#base = registryBase(reference.domain, init);
    if (init.auth?.registrytoken) this.#authorization = `Bearer ${init.auth.registrytoken}`;
  }

  /** By tag or digest. Throws SWM_NOT_FOUND with Docker's words. */
  async manifest(tagOrDigest: string): Promise<FetchedManifest> {
    const response = await this.#get(`manifests/${tagOrDigest}`, { accept: ACCEPT });
    if (!response.ok) throw await this.#failure(response, tagOrDigest);
    const data = Buffer.from(await response.arrayBuffer());
    if (data.length > MANIFEST_BYTES_MAX) {
      throw new SwarmError('SWM_INTERNAL', `manifest of ${data.length} bytes is too large`);
    }
    const digest = sha256(data);
    const wanted = tagOrDigest.startsWith('sha256:') ? tagOrDigest : digest;
    if (digest !== wanted) {
      throw new SwarmError('SWM_INTERNAL', `manifest verification failed for digest ${wanted}`);
    }
    const mediaType = mediaTypeOf(response, data);
    return { descriptor: { mediaType, digest, size: data.length }, data };
  }

  /** The bytes of a blob from `offset` on. */
  async *blob(digest: string, offset: number): AsyncGenerator<Uint8Array> {
    const range: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
    const response = await this.#get(`blobs/${digest}`, range);
    if (!response.ok || !response.body) throw await this.#failure(response, digest);
    // A registry that knows no ranges sends all of it.
    let skip = response.status === 206 ? 0 : offset;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      const part = skip > 0 ? chunk.subarray(skip) : chunk;
      skip = Math.max(0, skip - chunk.length);
      if (part.length > 0) yield part;
    }
  }

  /** A blob that is a small document, as an image's config. */
  async json<T>(digest: string): Promise<T> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.blob(digest, 0)) chunks.push(chunk);
    const data = Buffer.concat(chunks);
    if (sha256(data) === digest) return JSON.parse(data.toString('utf8')) as T;
    throw new SwarmError('SWM_INTERNAL', `blob verification failed for digest ${digest}`);
  }

  async #get(path: string, headers: Record<string, string>): Promise<Response> {
    const used = this.#authorization;
    const response = await this.#fetch(path, headers);
    if (response.status !== 401) return response;
    const challenge = parseChallenge(response.headers.get('www-authenticate') ?? '');
    await response.body?.cancel();
    if (!challenge) throw this.#denied();
    // Parallel requests that were refused alike share one renewal.
    if (used === this.#authorization) {
      this.#renewing ??= this.#authorize(challenge).finally(() => {
        this.#renewing = undefined;
      });
    }
    await this.#renewing;
    return this.#fetch(path, headers);
  }

  async #fetch(path: string, headers: Record<string, string>): Promise<Response> {
    const url = `${this.#base}/v2/${this.#reference.path}/${path}`;
    const authorization: Record<string, string> = this.#authorization
      ? { authorization: this.#authorization }
      : {};
    const signal = this.#signal ? { signal: this.#signal } : {};
    try {
      return await fetch(url, { headers: { ...headers, ...authorization }, ...signal });
    } catch (error) {
      if (this.#signal?.aborted) throw error;
      const cause = (error as Error).cause ?? error;
      throw new SwarmError('SWM_UNAVAILABLE', `Get "${this.#base}/v2/": ${errorMessage(cause)}`, {
        hint: 'Check that the registry is running and reachable from this node.',
        cause: error,
      });
    }
  }

  async #authorize(challenge: Challenge): Promise<void> {
    if (challenge.scheme === 'basic') {
      const basic = basicAuthorization(this.#auth);
      if (!basic) throw new SwarmError('SWM_UNAUTHENTICATED', 'no basic auth credentials');
      this.#authorization = basic;
      return;
    }
    const token = await fetchToken(challenge, this.#auth, {
      scope: `repository:${this.#reference.path}:pull`,
      ...(this.#signal ? { signal: this.#signal } : {}),
    });
    this.#authorization = `Bearer ${token}`;
  }

  async #failure(response: Response, wanted: string): Promise<SwarmError> {
    const text = await response.text().catch(() => '');
    if (response.status === 401 || response.status === 403) return this.#denied();
    const [first] = registryErrors(text);
    if (response.status === 404) {
      if (first?.code === 'NAME_UNKNOWN') return this.#denied();
      const name = familiarName(this.#reference);
      const separator = wanted.startsWith('sha256:') ? '@' : ':';
      const message = `manifest for ${name}${separator}${wanted} not found: manifest unknown: ${first?.message ?? 'manifest unknown'}`;
      return new SwarmError('SWM_NOT_FOUND', message);
    }
    const detail = first ? `${first.code.toLowerCase()}: ${first.message}` : text.slice(0, 200);
    const message = `received unexpected HTTP status: ${response.status} ${response.statusText} ${detail}`;
    return new SwarmError('SWM_UNAVAILABLE', message.trim());
  }

  #denied(): SwarmError {
    const name = familiarName(this.#reference);
    return new SwarmError(
      'SWM_NOT_FOUND',
      `pull access denied for ${name}, repository does not exist or may require 'docker login'`,
    );
  }
}

/** Some registries send manifests as plain JSON; the document knows better. */
function mediaTypeOf(response: Response, data: Buffer): string {
  const header = response.headers.get('content-type')?.split(';', 1)[0]?.trim() ?? '';
  const known: readonly string[] = Object.values(MediaType);
  if (known.includes(header)) return header;
  const document = JSON.parse(data.toString('utf8')) as {
    mediaType?: string;
    manifests?: unknown;
    schemaVersion?: number;
  };
  if (document.schemaVersion !== 2) {
    throw new SwarmError(
      'SWM_NOT_IMPLEMENTED',
      'the image has a manifest of schema version 1, which is no longer read',
      { hint: 'Push it again with a current tool.' },
    );
  }
  return document.mediaType ?? (document.manifests ? MediaType.ociIndex : MediaType.ociManifest);
}

function registryErrors(text: string): { code: string; message: string }[] {
  try {
    const { errors } = JSON.parse(text) as { errors?: { code?: string; message?: string }[] };
    return (errors ?? []).map(({ code = '', message = '' }) => ({ code, message }));
  } catch {
    return [];
  }
}
