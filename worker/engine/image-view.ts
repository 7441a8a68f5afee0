import { familiarName, familiarReference, parseReference } from '../runtime/image/reference.ts';
import type { ImageName, NamedImage } from '../runtime/image/store.ts';
import type { ImageDetail, ImageSummary } from './types.ts';

/** As `docker images` lists it. `size` is what its layers take unpacked. */
export function imageSummary(image: NamedImage, size: number): ImageSummary {
  return {
    id: image.id,
    repoTags: image.names.flatMap(tagOf),
    repoDigests: [...new Set(image.names.flatMap(digestOf))],
    createdAt: image.config.created ? Date.parse(image.config.created) : 0,
    size,
    labels: image.config.config?.Labels ?? {},
  };
}

export function imageDetail(image: NamedImage, size: number): ImageDetail {
  const { architecture, config, history, os, rootfs } = image.config;
  return {
    ...imageSummary(image, size),
    architecture,
    os,
    config: config ?? {},
    layers: rootfs.diff_ids,
    history: (history ?? []).map((entry) => ({
      created: entry.created ? Date.parse(entry.created) : 0,
      createdBy: entry.created_by ?? '',
      comment: entry.comment ?? '',
      emptyLayer: entry.empty_layer ?? false,
    })),
  };
}

function tagOf({ name }: ImageName): string[] {
  return name.includes('@') ? [] : [familiarReference(parseReference(name))];
}

function digestOf({ name, repoDigest }: ImageName): string[] {
  return repoDigest ? [`${familiarName(parseReference(name))}@${repoDigest}`] : [];
}
