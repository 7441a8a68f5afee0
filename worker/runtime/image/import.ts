import type { ContainerdClient } from '../containerd/client.ts';
import { withLease } from '../containerd/lease.ts';
import type { Assembler } from './assemble.ts';
import { applyChanges } from './changes.ts';
import { decompressed } from './compression.ts';
import type { ContentStore } from './content.ts';
import type { StoredImage } from './store.ts';
import { type ImageConfig, MediaType, type Platform } from './types.ts';

export interface ImportComponents {
  readonly client: ContainerdClient;
  readonly content: ContentStore;
  readonly assembler: Assembler;
  readonly platform: Platform;
  readonly now: () => number;
}

/** Makes an image of one layer from the tar (plain or gzip) of a root file system. */
export async function importRootfs(
  components: ImportComponents,
  tar: AsyncIterable<Buffer>,
  init: { leaseId: string; message?: string; changes?: readonly string[] },
): Promise<StoredImage> {
  const { client, content, assembler, platform, now } = components;
  const config = applyChanges(init.changes ?? []);
  return withLease(client, init.leaseId, now(), async (lease) => {
    const source = await decompressed(tar);
    const blob = await content.write(source, { ref: `import-${init.leaseId}`, lease });
    const created = new Date(now()).toISOString();
    const comment = init.message || 'Imported from -';
    const imageConfig: ImageConfig = {
      ...platform,
      created,
      config,
      rootfs: { type: 'layers', diff_ids: [blob.digest] },
      history: [{ created, comment }],
    };
    const layer = { mediaType: MediaType.ociLayer, ...blob };
    return assembler.build(Buffer.from(JSON.stringify(imageConfig)), [layer], lease);
  });
}
