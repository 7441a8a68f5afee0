import { unlessAborted } from '../../../common/abort.ts';
import type { Clock } from '../../../common/clock.ts';
import { within } from '../../../common/deadline.ts';
import { errorMessage, isSwarmError } from '../../../common/errors.ts';
import type { Logger } from '../../../common/logger.ts';
import type { ImageDetail, ImagesApi, RegistryAuth } from '../../engine/types.ts';

export interface ImagePullerComponents {
  readonly images: ImagesApi;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** An answer of the registry counts this long, so that the replicas of a service ask once. */
const FRESH_MS = 10_000;
/** An image that is here already is not held up by a registry that does not answer. */
const REGISTRY_PATIENCE_MS = 5_000;

/**
 * Gets images for tasks. A tag is compared with the registry and pulled when it moved; when the
 * registry cannot be asked, an image that is here will do. Tasks that want the same image at the
 * same time share one pull.
 */
export class ImagePuller {
  readonly #components: ImagePullerComponents;
  readonly #pulls = new Map<string, Promise<void>>();
  readonly #freshUntil = new Map<string, number>();

  constructor(components: ImagePullerComponents) {
    this.#components = components;
  }

  /** Resolves when the image is here. Rejects with what the registry said when it is not. */
  ensure(reference: string, registryAuth: string, signal: AbortSignal): Promise<void> {
    const key = `${reference} ${registryAuth}`;
    let pull = this.#pulls.get(key);
    if (!pull) {
      // Not bound to the signal of one task: others may be waiting for the same image.
      pull = this.#ensure(reference, decodeAuth(registryAuth)).finally(() => {
        this.#pulls.delete(key);
      });
      this.#pulls.set(key, pull);
    }
    return unlessAborted(pull, signal);
  }

  async #ensure(reference: string, auth: RegistryAuth | undefined): Promise<void> {
    const { images, clock, logger } = this.#components;
    const local = await this.#local(reference);
    if (local) {
      if (reference.includes('@') || clock.monotonic() < (this.#freshUntil.get(reference) ?? 0))
        return;
      if (!(await this.#moved(reference, local, auth))) return this.#markFresh(reference);
    }
    try {
      await images.pull(reference, auth ? { auth } : {});
    } catch (error) {
      if (!local) throw error;
      const err = errorMessage(error);
      logger.warn({ image: reference, err }, 'image not pulled, taking the one that is here');
    }
    this.#markFresh(reference);
  }

  async #local(reference: string): Promise<ImageDetail | undefined> {
    try {
      return await this.#components.images.inspect(reference);
    } catch (error) {
      if (isSwarmError(error, 'SWM_NOT_FOUND')) return undefined;
      throw error;
    }
  }

  /** Whether the registry has another image under the tag; not, when it cannot be asked in time. */
  async #moved(
    reference: string,
    local: ImageDetail,
    auth: RegistryAuth | undefined,
  ): Promise<boolean> {
    const { images, clock, logger } = this.#components;
    const late = () => new Error(`the registry did not answer in ${REGISTRY_PATIENCE_MS / 1000} s`);
    try {
      const found = await within(clock, { ms: REGISTRY_PATIENCE_MS, late }, () =>
        images.distribution(reference, auth),
      );
      return !local.repoDigests.some((digest) => digest.endsWith(`@${found.digest}`));
    } catch (error) {
      const err = errorMessage(error);
      logger.warn({ image: reference, err }, 'registry not reached, taking the image that is here');
      return false;
    }
  }

  #markFresh(reference: string): void {
    this.#freshUntil.set(reference, this.#components.clock.monotonic() + FRESH_MS);
  }
}

/** The X-Registry-Auth header: JSON in URL-safe base64. */
export function decodeAuth(header: string): RegistryAuth | undefined {
  if (!header) return undefined;
  try {
    return JSON.parse(Buffer.from(header, 'base64url').toString('utf8')) as RegistryAuth;
  } catch {
    return undefined;
  }
}
