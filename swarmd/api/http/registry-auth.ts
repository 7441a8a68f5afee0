import type { FastifyRequest } from 'fastify';
import type { RegistryAuth } from '../../../worker/index.ts';
import { badRequest } from './errors.ts';

const FIELDS = ['username', 'password', 'identitytoken', 'registrytoken', 'serveraddress'] as const;

/** The header X-Registry-Auth as it came; '' when it is missing or says nothing. */
export function registryAuthHeader(request: FastifyRequest): string {
  const header = request.headers['x-registry-auth'];
  const text = (Array.isArray(header) ? header[0] : header) ?? '';
  return text === '' || Object.keys(decode(text)).length === 0 ? '' : text;
}

/** The credentials in the header: base 64 (either alphabet) of a JSON object. */
export function registryAuth(request: FastifyRequest): RegistryAuth | undefined {
  const text = registryAuthHeader(request);
  if (text === '') return undefined;
  const json = decode(text);
  const entries = FIELDS.flatMap((field) => {
    const value = json[field];
    return typeof value === 'string' && value !== '' ? [[field, value]] : [];
  });
  return entries.length > 0 ? (Object.fromEntries(entries) as RegistryAuth) : undefined;
}

function decode(text: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
    if (typeof json === 'object' && json !== null) return json as Record<string, unknown>;
  } catch {
    // Falls through to the same answer.
  }
  throw badRequest('invalid X-Registry-Auth header: it is not base 64 of a JSON object');
}
