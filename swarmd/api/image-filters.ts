import type { ImageSummary } from '../../worker/index.ts';
import { notFound } from './http/errors.ts';
import type { Filters } from './http/filters.ts';

export const FILTERS = ['before', 'dangling', 'label', 'reference', 'since', 'until'];

/** The images that GET /images/json shows, newest first. */
export function selectImages(images: readonly ImageSummary[], filters: Filters): ImageSummary[] {
  const timesOf = (key: string) => filters.values(key).map((ref) => find(images, ref).createdAt);
  const after = Math.max(...timesOf('since'), Number.NEGATIVE_INFINITY);
  const before = Math.min(...timesOf('before'), Number.POSITIVE_INFINITY);
  return images
    .filter(({ createdAt }) => createdAt > after && createdAt < before)
    .filter((image) => matches(filters, image))
    .map((image) => withMatchingTags(filters, image))
    .sort((a, b) => b.createdAt - a.createdAt);
}

function matches(filters: Filters, image: ImageSummary): boolean {
  const dangling = image.repoTags.length === 0;
  return (
    (filters.boolean('dangling') ?? dangling) === dangling &&
    filters.labels('label', image.labels) &&
    (!filters.has('reference') || withMatchingTags(filters, image).repoTags.length > 0)
  );
}

/** Of an image that several names match in part, only those names are shown. */
function withMatchingTags(filters: Filters, image: ImageSummary): ImageSummary {
  if (!filters.has('reference')) return image;
  const repoTags = image.repoTags.filter((tag) =>
    filters.values('reference').some((pattern) => matchesReference(pattern, tag)),
  );
  return { ...image, repoTags };
}

/** Shell patterns; a pattern without a tag stands for all of them. */
function matchesReference(pattern: string, tag: string): boolean {
  const name = tag.replace(/:[^:/]*$/, '');
  const expression = new RegExp(
    `^${pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]')}$`,
  );
  return [tag, name, tag.split('/').at(-1) ?? '', name.split('/').at(-1) ?? ''].some((text) =>
    expression.test(text),
  );
}

function find(images: readonly ImageSummary[], ref: string): ImageSummary {
  const tagged = /:[^:/]*$/.test(ref) ? ref : `${ref}:latest`;
  const hex = ref.replace('sha256:', '');
  const found = images.find(
    ({ id, repoTags }) => repoTags.includes(tagged) || id.replace('sha256:', '').startsWith(hex),
  );
  if (!found) throw notFound(`No such image: ${tagged}`);
  return found;
}
