import type { BuiltImage } from './busybox-image.ts';
import { digestOf } from './busybox-image.ts';

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

/** Pushes by the OCI distribution protocol: blobs first, then the manifest that names them. */
export async function pushImage(
  registry: string,
  repository: string,
  tag: string,
  image: BuiltImage,
) {
  await pushBlob(registry, repository, image.layer);
  await pushBlob(registry, repository, image.config);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: digestOf(image.config),
      size: image.config.length,
    },
    layers: [
      {
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        digest: digestOf(image.layer),
        size: image.layer.length,
      },
    ],
  });
  await request(`${registry}/v2/${repository}/manifests/${tag}`, {
    method: 'PUT',
    headers: { 'content-type': MANIFEST_TYPE },
    body: manifest,
  });
}

async function pushBlob(registry: string, repository: string, blob: Buffer): Promise<void> {
  const started = await request(`${registry}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(started.headers.get('location') ?? '', registry);
  location.searchParams.set('digest', digestOf(blob));
  await request(location.href, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: new Uint8Array(blob),
  });
}

async function request(url: string, init: RequestInit): Promise<Response> {
  const response = await fetch(url, init);
  if (response.ok) return response;
  throw new Error(`${init.method} ${url}: ${response.status} ${await response.text()}`);
}
