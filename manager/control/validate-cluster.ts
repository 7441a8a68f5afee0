import { durationMs } from '../../common/duration.ts';
import { SwarmError } from '../../common/errors.ts';
import type { KeyRotation } from '../../proto/gen/swarm/control.ts';
import {
  type ClusterSpec,
  type ExternalCA,
  ExternalCA_CAProtocol,
} from '../../proto/gen/swarm/specs.ts';
import { MIN_CERTIFICATE_VALIDITY_MS, normalizePem } from '../ca/index.ts';
import { negative } from './validate-duration.ts';
import { invalid } from './validate-names.ts';

/** Throws SWM_INVALID_ARGUMENT. */
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
  for (const ca of spec.caConfig?.externalCas ?? []) validateExternalCa(ca);
}

/** Throws SWM_FAILED_PRECONDITION for a key that `spec` has no use for. */
export function validateRotation(rotation: KeyRotation, spec: ClusterSpec): void {
  if (rotation.managerUnlockKey && !spec.encryptionConfig?.autoLockManagers) {
    const message = 'cannot rotate because autolock is not turned on';
    throw new SwarmError('SWM_FAILED_PRECONDITION', message);
  }
}

/** Throws SWM_INVALID_ARGUMENT for an external CA that could never be asked. */
function validateExternalCa({ protocol, url, caCert }: ExternalCA): void {
  if (protocol !== ExternalCA_CAProtocol.CFSSL) throw invalid('invalid external CA protocol');
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:') {
    throw invalid(
      `invalid URL of an external CA: "${url}"`,
      'It looks like https://HOST:PORT/api/v1/cfssl/sign.',
    );
  }
  if (caCert.length > 0 && normalizePem(caCert.toString()) === '') {
    throw invalid(`the CA certificate of the external CA at ${url} is not in PEM`);
  }
}
