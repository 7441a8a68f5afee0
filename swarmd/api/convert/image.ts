import type { Container, ImageDetail, ImageSummary } from '../../../worker/index.ts';
import { rfc3339 } from '../http/time.ts';

/** One element of GET /images/json. */
export function imageSummary(image: ImageSummary, containers: readonly Container[]) {
  return {
    Id: image.id,
    ParentId: '',
    RepoTags: image.repoTags,
    RepoDigests: image.repoDigests,
    Created: seconds(image.createdAt),
    Size: image.size,
    SharedSize: -1,
    Labels: image.labels,
    Containers: containers.filter(({ imageId }) => imageId === image.id).length,
  };
}

/** GET /images/{name}/json. */
export function imageDetail(image: ImageDetail) {
  return {
    Id: image.id,
    RepoTags: image.repoTags,
    RepoDigests: image.repoDigests,
    Parent: '',
    Comment: image.history.at(-1)?.comment ?? '',
    Created: rfc3339(image.createdAt),
    DockerVersion: '',
    Author: '',
    Config: image.config,
    Architecture: image.architecture,
    Os: image.os,
    Size: image.size,
    GraphDriver: { Name: 'overlayfs', Data: null },
    RootFS: { Type: 'layers', Layers: image.layers },
    Metadata: { LastTagTime: rfc3339(undefined) },
  };
}

/** GET /images/{name}/history, newest first. The sizes of single layers are not kept. */
export function imageHistory(image: ImageDetail) {
  return [...image.history].reverse().map((step, i) => ({
    Id: i === 0 ? image.id : '<missing>',
    Created: seconds(step.created),
    CreatedBy: step.createdBy,
    Tags: i === 0 && image.repoTags.length > 0 ? image.repoTags : null,
    Size: 0,
    Comment: step.comment,
  }));
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000);
}
