import type { ContentStore } from './content.ts';
import type { Manifest } from './types.ts';
import { chainIds } from './unpack.ts';

/**
 * Tells containerd's garbage collector what an image consists of: its manifest refers to config and
 * layers, and its config to the snapshot they were unpacked to.
 */
export async function labelImage(
  content: ContentStore,
  manifestDigest: string,
  image: { manifest: Manifest; diffIds: readonly string[]; snapshotter: string },
): Promise<void> {
  const { manifest, diffIds, snapshotter } = image;
  const labels: Record<string, string> = {
    'containerd.io/gc.ref.content.config': manifest.config.digest,
  };
  manifest.layers.forEach((layer, index) => {
    labels[`containerd.io/gc.ref.content.l.${index}`] = layer.digest;
  });
  const top = chainIds(diffIds).at(-1);
  await Promise.all([
    content.label(manifestDigest, labels),
    top &&
      content.label(manifest.config.digest, {
        [`containerd.io/gc.ref.snapshot.${snapshotter}`]: top,
      }),
  ]);
}
