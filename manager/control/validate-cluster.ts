import { durationMs } from '../../common/duration.ts';
import { SwarmError } from '../../common/errors.ts';
import type { KeyRotation } from '../../proto/gen/swarm/control.ts';
import type { ClusterSpec } from '../../proto/gen/swarm/specs.ts';
import { MIN_CERTIFICATE_VALIDITY_MS } from '../ca/index.ts';
import { negative } from './validate-duration.ts';
import { invalid } from './validate-names.ts';

/** Throws SWM_INVALID_ARGUMENT, and SWM_NOT_IMPLEMENTED for what this version cannot do. */
export function validateCluster(spec: ClusterSpec): void {
  if (spec.annotations?.name !== 'default') throw invalid('swarm spec must be named "default"');
  const expiry = spec.caConfig?.nodeCertExpiry;
  if (expiry && durationMs(expiry, 0) < MIN_CERTIFICATE_VALIDITY_MS) {
    throw invalid('minimum certificate expiry time is: 1h0m0s');
  }
  if (negative(spec.dispatcher?.heartbeatPeriod)) {
    throw invalid('heartbeat time period cannot be a negative duration');
  }
  const { heartbeatTick = 0, electionTick = 0 } = spec.raft ?? {};
  if (heartbeatTick !== 0 && electionTick !== 0 && electionTick <= heartbeatTick) {
    throw invalid(
      `the election tick (${electionTick}) must be above the heartbeat tick (${heartbeatTick})`,
    );
  }
  validateUnsupported(spec);
}

/** Throws SWM_FAILED_PRECONDITION for a key that `spec` has no use for. */
export function validateRotation(rotation: KeyRotation, spec: ClusterSpec): void {
  if (rotation.managerUnlockKey && !spec.encryptionConfig?.autoLockManagers) {
    const message = 'cannot rotate because autolock is not turned on';
    throw new SwarmError('SWM_FAILED_PRECONDITION', message);
  }
}

function validateUnsupported(spec: ClusterSpec): void {
  const { externalCas = [], signingCaCert, signingCaKey, forceRotate } = spec.caConfig ?? {};
  if (externalCas.length > 0)
    throw unsupported('external certificate authorities are not supported');
  if (signingCaCert?.length || signingCaKey?.length || forceRotate) {
    throw unsupported('rotating the root CA is not supported');
  }
}

function unsupported(message: string): SwarmError {
  return new SwarmError('SWM_NOT_IMPLEMENTED', message);
}
