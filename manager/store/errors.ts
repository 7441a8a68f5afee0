import { SwarmError } from '../../common/errors.ts';
import type { Kind } from './types.ts';

export function notFound(kind: Kind, ref: string): SwarmError {
  return new SwarmError('SWM_NOT_FOUND', `${kind} ${ref} not found`);
}

export function idTaken(kind: Kind, id: string): SwarmError {
  return new SwarmError('SWM_CONFLICT', `${kind} ${id} already exists`);
}

/** The sentences are the ones that Docker's clients know. */
export function nameTaken(kind: Kind, name: string): SwarmError {
  const taken = `${kind} ${name} already exists`;
  switch (kind) {
    case 'network':
      return new SwarmError('SWM_CONFLICT', `network with name ${name} already exists`);
    case 'secret':
    case 'config':
      return new SwarmError('SWM_CONFLICT', `rpc error: code = AlreadyExists desc = ${taken}`);
    default:
      return new SwarmError('SWM_CONFLICT', `name conflicts with an existing object: ${taken}`);
  }
}

export function outOfSequence(): SwarmError {
  return new SwarmError('SWM_OUT_OF_SEQUENCE', 'update out of sequence', {
    hint: 'Somebody else changed the object since it was read: read it again and repeat.',
  });
}

export function tooLarge(what: string): SwarmError {
  return new SwarmError('SWM_RESOURCE_EXHAUSTED', `transaction of ${what} is too large`, {
    hint: 'Split it into smaller ones.',
  });
}
