import type { ConfigSpec, SecretSpec } from '../../proto/gen/swarm/specs.ts';
import { invalid, validateFileName } from './validate-names.ts';

/** Bytes; data must be smaller. */
export const SECRET_LIMIT = 512_000;
export const CONFIG_LIMIT = 1_024_000;
const TEMPLATING = 'golang';

/** Throws SWM_INVALID_ARGUMENT. */
export function validateSecret(spec: SecretSpec): void {
  validateFileName(spec.annotations);
  validateTemplating(spec);
  if (!spec.driver) {
    validateData('secret', spec.data, SECRET_LIMIT);
  } else if (spec.driver.name === '') {
    throw invalid('secret driver must have a name');
  } else if (spec.data.length > 0) {
    throw invalid('a secret that comes from a driver cannot have data of its own');
  }
}

/** Throws SWM_INVALID_ARGUMENT. */
export function validateConfig(spec: ConfigSpec): void {
  validateFileName(spec.annotations);
  validateTemplating(spec);
  validateData('config', spec.data, CONFIG_LIMIT);
}

/**
 * Throws SWM_INVALID_ARGUMENT unless only labels differ. Clients that read a secret back get it
 * without its data, so no data stands for the same data.
 */
export function validateLabelsOnly<S extends SecretSpec | ConfigSpec>(
  current: S | undefined,
  wanted: S,
): void {
  const sameName = current?.annotations?.name === wanted.annotations?.name;
  const sameData = wanted.data.length === 0 || current?.data.equals(wanted.data);
  if (!sameName || !sameData) throw invalid('only updates to Labels are allowed');
}

function validateData(kind: string, data: Uint8Array, limit: number): void {
  if (data.length === 0 || data.length >= limit) {
    throw invalid(`${kind} data must be larger than 0 and less than ${limit} bytes`);
  }
}

function validateTemplating({ templating }: SecretSpec | ConfigSpec): void {
  if (templating && templating.name !== TEMPLATING) {
    throw invalid(`unknown templating driver "${templating.name}": only "${TEMPLATING}" is known`);
  }
}
