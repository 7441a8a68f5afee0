import { CliError } from '../cli-error.ts';

const HUB = 'docker.io';
const DIGEST = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}$/;
const TAG = /^\w[\w.-]{0,127}$/;
const PATH = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;

export interface ImageReference {
  /** `docker.io`, or the host that the name begins with. */
  readonly domain: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: string;
}

/** An image as people write it: busybox, host:5000/a/b:tag, name@sha256:…. Throws CliError. */
export function parseImage(text: string): ImageReference {
  const [name = '', digest, ...more] = text.split('@');
  if (more.length > 0 || (digest !== undefined && !DIGEST.test(digest))) throw invalid(text);
  const [, untagged = name, tag] = /^(.*):([^:/]*)$/.exec(name) ?? [];
  if (tag !== undefined && !TAG.test(tag)) throw invalid(text);
  const { domain, path } = splitDomain(untagged);
  if (path !== path.toLowerCase()) {
    throw new CliError(`invalid reference format: repository name (${untagged}) must be lowercase`);
  }
  if (!PATH.test(path)) throw invalid(text);
  return { domain, path, ...(tag ? { tag } : {}), ...(digest ? { digest } : {}) };
}

/** The name of its repository with its registry: docker.io/library/alpine. */
export function repositoryOf({ domain, path }: ImageReference): string {
  return `${domain}/${path}`;
}

/** What comes after the repository: the digest, the tag, or `latest`. */
export function versionOf({ tag, digest }: ImageReference): string {
  return digest ?? tag ?? 'latest';
}

/** As short as it can be written, with a tag or digest: alpine:latest. */
export function familiarName(image: ImageReference): string {
  const path = image.domain === HUB ? image.path.replace(/^library\//, '') : repositoryOf(image);
  return `${path}${suffix(image)}`;
}

/** Whole: docker.io/library/alpine:latest. */
export function canonicalName(image: ImageReference): string {
  return `${repositoryOf(image)}${suffix(image)}`;
}

function suffix(image: ImageReference): string {
  return image.digest ? `@${image.digest}` : `:${versionOf(image)}`;
}

/** The part before the first slash is a host if it could not be a user's name. */
function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  if (slash < 0 || !(/[.:]/.test(first) || first === 'localhost')) {
    return { domain: HUB, path: slash < 0 ? `library/${name}` : name };
  }
  const domain = first === 'index.docker.io' ? HUB : first;
  const path = name.slice(slash + 1);
  return { domain, path: domain === HUB && !path.includes('/') ? `library/${path}` : path };
}

function invalid(text: string): CliError {
  return new CliError(`invalid reference format: "${text}" is not the name of an image`);
}
