import { SwarmError } from '../../common/errors.ts';
import type { Annotations } from '../../proto/gen/swarm/types.ts';

const DNS_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9_-]*[a-zA-Z0-9])?$/;
const MAX_DNS_NAME = 63;
const FILE_NAME = /^[a-zA-Z0-9](?:[a-zA-Z0-9_.-]*[a-zA-Z0-9])?$/;
const MAX_FILE_NAME = 64;

export function invalid(message: string, hint?: string): SwarmError {
  return new SwarmError('SWM_INVALID_ARGUMENT', message, hint === undefined ? {} : { hint });
}

/** The name of a service or network, which becomes a DNS name. Throws SWM_INVALID_ARGUMENT. */
export function validateDnsName(annotations: Annotations | undefined): string {
  const name = annotations?.name ?? '';
  if (name === '') throw invalid('meta: name must be provided');
  if (!DNS_NAME.test(name)) throw invalid('name must be valid as a DNS name component');
  if (name.length > MAX_DNS_NAME) throw invalid('name must be 63 characters or fewer');
  return name;
}

/** The name of a secret or config, which becomes a file name. Throws SWM_INVALID_ARGUMENT. */
export function validateFileName(annotations: Annotations | undefined): string {
  const name = annotations?.name ?? '';
  if (name === '') throw invalid('name must be provided');
  if (name.length > MAX_FILE_NAME || !FILE_NAME.test(name)) {
    throw invalid(
      'invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]',
    );
  }
  return name;
}
