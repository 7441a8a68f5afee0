import type { Clock } from '../../common/clock.ts';
import { within } from '../../common/deadline.ts';
import { errorMessage, SwarmError } from '../../common/errors.ts';

export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** As users write it: '', host[:port], or a URL. */
  readonly serverAddress: string;
}

const TIMEOUT_MS = 15_000;
const DOCKER_HUB = 'https://registry-1.docker.io';

/**
 * Tries credentials at a registry, by the token or the basic scheme, whichever it asks for. Throws
 * SWM_UNAUTHENTICATED when it refuses them, SWM_UNAVAILABLE when it does not answer.
 */
export async function registryLogin(
  { clock }: { readonly clock: Clock },
  credentials: Credentials,
) {
  const base = registryUrl(credentials.serverAddress);
  const basic = `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString(
    'base64',
  )}`;
  const first = await get(clock, `${base}/v2/`, {});
  if (first.ok) return succeeded();
  const challenge = first.headers.get('www-authenticate') ?? '';
  const answer = /^bearer /i.test(challenge)
    ? await get(clock, tokenUrl(challenge, credentials.username), { authorization: basic })
    : await get(clock, `${base}/v2/`, { authorization: basic });
  if (answer.ok) return succeeded();
  const reason = answer.status === 401 ? 'unauthorized: incorrect username or password' : '';
  throw new SwarmError(
    'SWM_UNAUTHENTICATED',
    `login attempt to ${base}/v2/ failed with status: ${answer.status} ${answer.statusText}` +
      (reason && `: ${reason}`),
  );
}

/** Plain HTTP is for registries on this machine alone. */
export function registryUrl(address: string): string {
  const host = address.replace(/^https?:\/\//, '').split('/')[0] ?? '';
  if (['', 'docker.io', 'index.docker.io', 'registry-1.docker.io'].includes(host)) {
    return DOCKER_HUB;
  }
  const isHere = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(host);
  return `${isHere ? 'http' : 'https'}://${host}`;
}

/** From `Bearer realm="…",service="…"`. */
export function tokenUrl(challenge: string, account: string): string {
  const fields = new Map(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value ?? '']),
  );
  const realm = fields.get('realm');
  if (!realm || !URL.canParse(realm)) {
    throw new SwarmError('SWM_UNAVAILABLE', `the registry's challenge is unusable: ${challenge}`);
  }
  const url = new URL(realm);
  url.searchParams.set('account', account);
  url.searchParams.set('service', fields.get('service') ?? '');
  return url.href;
}

function succeeded() {
  return { Status: 'Login Succeeded', IdentityToken: '' };
}

async function get(clock: Clock, url: string, headers: Record<string, string>): Promise<Response> {
  const late = () => new Error(`no answer within ${TIMEOUT_MS / 1000} s`);
  try {
    return await within(clock, { ms: TIMEOUT_MS, late }, async (signal) => {
      const response = await fetch(url, { headers, signal });
      await response.body?.cancel();
      return response;
    });
  } catch (error) {
    const cause = error instanceof Error && error.cause ? error.cause : error;
    const message = `cannot reach the registry at ${url}: ${errorMessage(cause)}`;
    throw new SwarmError('SWM_UNAVAILABLE', message, { cause: error });
  }
}
