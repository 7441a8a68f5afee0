import { errorMessage, SwarmError } from '../../../common/errors.ts';
import type { RegistryAuth } from '../../engine/types.ts';

/** A registry's `WWW-Authenticate` answer. */
export interface Challenge {
  readonly scheme: 'basic' | 'bearer';
  readonly parameters: Readonly<Record<string, string>>;
}

/** Undefined for schemes that are not known. */
export function parseChallenge(header: string): Challenge | undefined {
  const [, scheme = '', rest = ''] = /^\s*(\w+)\s*(.*)$/s.exec(header) ?? [];
  const lower = scheme.toLowerCase();
  if (lower !== 'basic' && lower !== 'bearer') return undefined;
  const parameters: Record<string, string> = {};
  for (const [, key = '', quoted, plain] of rest.matchAll(/(\w+)=(?:"([^"]*)"|([^\s,]+))/g)) {
    parameters[key.toLowerCase()] = quoted ?? plain ?? '';
  }
  return { scheme: lower, parameters };
}

/** The credentials' `Authorization` value for HTTP basic, or undefined for anonymous access. */
export function basicAuthorization(auth: RegistryAuth | undefined): string | undefined {
  if (!auth?.username) return undefined;
  const pair = `${auth.username}:${auth.password ?? ''}`;
  return `Basic ${Buffer.from(pair).toString('base64')}`;
}

/**
 * Gets a bearer token from the realm that a registry named. Throws SWM_UNAUTHENTICATED when the
 * credentials are refused.
 */
export async function fetchToken(
  challenge: Challenge,
  auth: RegistryAuth | undefined,
  init: { scope: string; signal?: AbortSignal },
): Promise<string> {
  const { realm, service } = challenge.parameters;
  if (!realm) throw new SwarmError('SWM_UNAUTHENTICATED', 'the registry names no token server');
  const scope = challenge.parameters['scope'] || init.scope;
  const signal = init.signal ? { signal: init.signal } : {};
  const response = auth?.identitytoken
    ? await fetch(realm, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          service: service ?? '',
          client_id: 'swarmd',
          scope,
          refresh_token: auth.identitytoken,
        }),
        ...signal,
      })
    : await fetch(tokenUrl(realm, service, scope, auth), {
        headers: basicHeader(auth),
        ...signal,
      });
  if (response.status === 401 || response.status === 403) {
    await response.body?.cancel();
    throw new SwarmError('SWM_UNAUTHENTICATED', 'unauthorized: incorrect username or password');
  }
  if (!response.ok) {
    const text = await response.text().catch(errorMessage);
    throw new SwarmError('SWM_UNAVAILABLE', `token server ${realm}: ${response.status} ${text}`);
  }
  const body = (await response.json()) as { token?: string; access_token?: string };
  const token = body.token ?? body.access_token;
  if (token) return token;
  throw new SwarmError('SWM_UNAUTHENTICATED', `token server ${realm} gave no token`);
}

function tokenUrl(
  realm: string,
  service: string | undefined,
  scope: string,
  auth: RegistryAuth | undefined,
): URL {
  const url = new URL(realm);
  if (service) url.searchParams.set('service', service);
  url.searchParams.set('scope', scope);
  if (auth?.username) url.searchParams.set('account', auth.username);
  return url;
}

function basicHeader(auth: RegistryAuth | undefined): Record<string, string> {
  const authorization = basicAuthorization(auth);
  return authorization ? { authorization } : {};
}
