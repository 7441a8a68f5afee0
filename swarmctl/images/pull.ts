import type { Context } from '../context.ts';
import { type ProgressTarget, showProgress } from '../output/json-progress.ts';
import { type ImageReference, repositoryOf, versionOf } from './reference.ts';
import { registryAuth } from './registry-auth.ts';

export interface PullOptions {
  readonly platform?: string | undefined;
  /** Where progress goes; undefined for nowhere. */
  readonly progress: ProgressTarget | undefined;
}

/** Has the node pull an image, and shows how it gets on. */
export async function pullImage(
  context: Context,
  image: ImageReference,
  options: PullOptions,
): Promise<void> {
  const auth = await registryAuth(repositoryOf(image), context.env);
  const answer = await context.api.stream('POST', '/images/create', {
    query: {
      fromImage: repositoryOf(image),
      tag: versionOf(image),
      platform: options.platform,
    },
    headers: { 'X-Registry-Auth': auth },
  });
  await showProgress(answer, options.progress);
}
