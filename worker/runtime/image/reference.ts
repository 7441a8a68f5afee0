import { SwarmError } from '../../../common/errors.ts';

/** A reference in full: `domain/path`, then a tag, a digest or both. */
export interface Reference {
  readonly domain: string;
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const DEFAULT_DOMAIN = 'docker.io';
const OFFICIAL_PREFIX = 'library/';
const DEFAULT_TAG = 'latest';
const NAME_LENGTH_MAX = 255;

const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const DOMAIN =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const HEX_64 = /^[0-9a-f]{64}$/;

/**
 * Reads a reference as users write it; names without a registry are Docker Hub's. The tag is not
 * defaulted. Throws SWM_INVALID_ARGUMENT.
 */
export function parseReference(text: string): Reference {
  const [rest, digest] = splitOnce(text, '@');
  if (digest !== undefined && !DIGEST.test(digest)) throw invalid('invalid reference format');
  const { name, tag } = splitTag(rest);
  if (tag !== undefined && !TAG.test(tag)) throw invalid('invalid reference format');
  if (HEX_64.test(name)) {
    throw invalid(`invalid repository name (${name}), cannot specify 64-byte hexadecimal strings`);
  }
  return { ...splitDomain(name), tag, digest };
}

/** `docker.io/library/busybox:latest`, or with `@sha256:…`, which wins over the tag. */
export function canonicalName(reference: Reference): string {
  return withSuffix(`${reference.domain}/${reference.path}`, reference);
}

/** As users write it: `busybox:latest`. */
export function familiarReference(reference: Reference): string {
  return withSuffix(familiarName(reference), reference);
}

/** Without tag and digest: `busybox`, `host:5000/a/b`. */
export function familiarName(reference: Pick<Reference, 'domain' | 'path'>): string {
  if (reference.domain !== DEFAULT_DOMAIN) return `${reference.domain}/${reference.path}`;
  const { path } = reference;
  const official = path.startsWith(OFFICIAL_PREFIX) && !path.slice(8).includes('/');
  return official ? path.slice(OFFICIAL_PREFIX.length) : path;
}

export const isDigest = (text: string): boolean => DIGEST.test(text);

function withSuffix(name: string, { tag, digest }: Reference): string {
  return digest ? `${name}@${digest}` : `${name}:${tag ?? DEFAULT_TAG}`;
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** A colon after the last slash begins a tag; one before it belongs to the registry's port. */
function splitTag(rest: string): { name: string; tag: string | undefined } {
  const colon = rest.lastIndexOf(':');
  if (colon <= rest.lastIndexOf('/')) return { name: rest, tag: undefined };
  return { name: rest.slice(0, colon), tag: rest.slice(colon + 1) };
}

function splitDomain(name: string): { domain: string; path: string } {
  const [first, remainder] = splitOnce(name, '/');
  const hasDomain =
    remainder !== undefined &&
    (/[.:]/.test(first) || first === 'localhost' || first.toLowerCase() !== first);
  let domain = hasDomain ? first : DEFAULT_DOMAIN;
  if (domain === 'index.docker.io') domain = DEFAULT_DOMAIN;
  let path = hasDomain ? (remainder as string) : name;
  if (domain === DEFAULT_DOMAIN && !path.includes('/')) path = OFFICIAL_PREFIX + path;
  checkName(domain, path);
  return { domain, path };
}

function checkName(domain: string, path: string): void {
  if (path.toLowerCase() !== path) {
    throw invalid(`invalid reference format: repository name (${path}) must be lowercase`);
  }
  const wellFormed = DOMAIN.test(domain) && path.split('/').every((part) => COMPONENT.test(part));
  if (!wellFormed) throw invalid('invalid reference format');
  if (domain.length + path.length + 1 > NAME_LENGTH_MAX) {
    throw invalid(`repository name must not be more than ${NAME_LENGTH_MAX} characters`);
  }
}

function invalid(message: string): SwarmError {
  return new SwarmError('SWM_INVALID_ARGUMENT', message);
}
