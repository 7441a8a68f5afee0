import { SwarmError } from '../../common/errors.ts';
import type { NetworkSpec } from '../../proto/gen/swarm/specs.ts';
import { invalid, validateDnsName } from './validate-names.ts';

export const PREDEFINED_LABEL = 'com.docker.swarm.predefined';
const INTERNAL_LABEL = 'com.docker.swarm.internal';
const PREDEFINED = ['bridge', 'host', 'none', 'default'];
const DRIVERS = ['', 'overlay', 'bridge'];

/**
 * What can be told from the spec alone; its subnets are checked when they are allocated.
 * Throws SWM_INVALID_ARGUMENT or SWM_PERMISSION_DENIED.
 */
export function validateNetwork(spec: NetworkSpec): void {
  const name = validateDnsName(spec.annotations);
  if (PREDEFINED.includes(name)) {
    throw forbidden(`${name} is a pre-defined network and cannot be created`);
  }
  for (const label of [PREDEFINED_LABEL, INTERNAL_LABEL]) {
    if (spec.annotations?.labels[label] !== undefined) {
      throw forbidden(`label ${label} is for networks that the swarm makes by itself`);
    }
  }
  const driver = spec.driverConfig?.name ?? '';
  if (!DRIVERS.includes(driver)) {
    throw invalid(`network driver "${driver}" is not supported in swarm mode`);
  }
  if (spec.ingress) validateIngress(spec, driver);
  if (spec.configFrom) throw invalid('a swarm network cannot take its configuration from another');
}

function validateIngress(spec: NetworkSpec, driver: string): void {
  if (spec.attachable) throw invalid('ingress network cannot be attachable');
  if (driver === 'bridge') throw invalid('ingress network must be an overlay network');
}

function forbidden(message: string): SwarmError {
  return new SwarmError('SWM_PERMISSION_DENIED', message);
}
