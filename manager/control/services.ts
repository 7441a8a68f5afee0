import { isDeepStrictEqual } from 'node:util';
import { SwarmError } from '../../common/errors.ts';
import { newId } from '../../common/ids.ts';
import { Service } from '../../proto/gen/swarm/objects.ts';
import type { NetworkAttachmentConfig, ServiceSpec } from '../../proto/gen/swarm/specs.ts';
import { type UpdateStatus, UpdateStatus_UpdateState } from '../../proto/gen/swarm/types.ts';
import { findNetwork, isIngress } from '../allocator/networks.ts';
import { allocateService } from '../allocator/service.ts';
import type { ReadTx } from '../store/types.ts';
import {
  type ControlContext,
  now,
  refuseStale,
  requireObject,
  writeObject,
} from './control-context.ts';
import { invalid } from './validate-names.ts';
import { isJob, networksOf, validateService } from './validate-service.ts';

/**
 * Makes a service, with its virtual IPs and published ports.
 * Throws SWM_INVALID_ARGUMENT, SWM_CONFLICT for a taken name, SWM_NOT_FOUND for an unknown network.
 */
export async function createService(context: ControlContext, spec: ServiceSpec): Promise<Service> {
  validateService(spec);
  return writeObject(context, 'service', (tx) => {
    const service = Service.fromPartial({
      id: newId(context.random),
      specVersion: { index: 0 },
      jobStatus: isJob(spec)
        ? { jobIteration: { index: 0 }, lastExecution: now(context) }
        : undefined,
    });
    const wanted = { ...service, spec: resolveReferences(tx, spec) };
    // The name first: its conflict is what a user who repeats a command should hear of.
    tx.create('service', wanted);
    const allocated = allocateService(tx, wanted);
    tx.update('service', { ...allocated, meta: requireObject(tx, 'service', service.id).meta });
    return allocated;
  });
}

/**
 * Replaces the spec of a service, or swaps it for the one before. `version` is that of the object as
 * the client read it. Throws SWM_OUT_OF_SEQUENCE, SWM_NOT_IMPLEMENTED for a change of name or mode,
 * SWM_FAILED_PRECONDITION for a rollback without a previous spec.
 */
export async function updateService(
  context: ControlContext,
  id: string,
  version: number,
  spec: ServiceSpec,
  rollback: boolean,
): Promise<Service> {
  if (!rollback) validateService(spec);
  return writeObject(context, 'service', (tx) => {
    const service = requireObject(tx, 'service', id);
    refuseStale(service, version);
    const wanted = rollback
      ? rolledBack(context, service)
      : respecified(context, service, resolveReferences(tx, spec));
    const allocated = allocateService(tx, wanted);
    tx.update('service', allocated);
    return allocated;
  });
}

/** Throws SWM_NOT_FOUND. Its tasks are ended by the orchestrator. */
export async function removeService(context: ControlContext, id: string): Promise<void> {
  await context.store.update((tx) => {
    requireObject(tx, 'service', id);
    tx.remove('service', id);
  });
}

function respecified(context: ControlContext, service: Service, spec: ServiceSpec): Service {
  refuseFixedChanges(service.spec, spec);
  return {
    ...service,
    spec,
    specVersion: service.meta?.version,
    previousSpec: service.spec,
    previousSpecVersion: service.specVersion,
    updateStatus: undefined,
    jobStatus: isJob(spec) ? nextIteration(context, service) : undefined,
  };
}

function rolledBack(context: ControlContext, service: Service): Service {
  if (!service.previousSpec) {
    throw new SwarmError(
      'SWM_FAILED_PRECONDITION',
      `service ${service.id} does not have a previous spec`,
    );
  }
  const updateStatus: UpdateStatus = {
    state: UpdateStatus_UpdateState.ROLLBACK_STARTED,
    startedAt: now(context),
    message: 'manually requested rollback',
  };
  return {
    ...service,
    spec: service.previousSpec,
    specVersion: service.previousSpecVersion,
    previousSpec: service.spec,
    previousSpecVersion: service.specVersion,
    updateStatus,
  };
}

function refuseFixedChanges(current: ServiceSpec | undefined, wanted: ServiceSpec): void {
  const refuse = (message: string) => new SwarmError('SWM_NOT_IMPLEMENTED', message);
  if (current?.annotations?.name !== wanted.annotations?.name) {
    throw refuse('renaming services is not supported');
  }
  if (current?.mode?.$case !== wanted.mode?.$case) {
    throw refuse('service mode change is not allowed');
  }
  const before = current?.networks ?? [];
  const moved = wanted.task?.networks.length ?? 0;
  if (moved === 0 && before.length > 0 && !isDeepStrictEqual(before, wanted.networks)) {
    throw refuse('networks must be migrated to TaskSpec before being changed');
  }
}

// Every update of a job runs it again.
function nextIteration(context: ControlContext, service: Service) {
  const index = (service.jobStatus?.jobIteration?.index ?? 0) + 1;
  return { jobIteration: { index }, lastExecution: now(context) };
}

/** The spec with networks named by their ids. Throws when something that it refers to is not there. */
function resolveReferences(tx: ReadTx, spec: ServiceSpec): ServiceSpec {
  requireReferences(tx, spec);
  const networks = networksOf(spec).map((config) => resolveNetwork(tx, config));
  const targets = new Set(networks.map(({ target }) => target));
  if (targets.size < networks.length) throw invalid('a network of the service is given twice');
  return spec.task?.networks.length
    ? { ...spec, task: { ...spec.task, networks } }
    : { ...spec, networks };
}

function resolveNetwork(tx: ReadTx, config: NetworkAttachmentConfig): NetworkAttachmentConfig {
  const network = findNetwork(tx, config.target);
  if (!network) throw new SwarmError('SWM_NOT_FOUND', `network ${config.target} not found`);
  if (isIngress(network)) {
    const name = network.spec?.annotations?.name;
    throw invalid(`Service cannot be explicitly attached to the ingress network "${name}"`);
  }
  return { ...config, target: network.id };
}

function requireReferences(tx: ReadTx, spec: ServiceSpec): void {
  if (spec.task?.runtime?.$case !== 'container') return;
  const { secrets, configs } = spec.task.runtime.container;
  const missing = (kind: 'secret' | 'config', names: readonly string[]) => {
    if (names.length === 0) return;
    throw invalid(`${kind}${names.length > 1 ? 's' : ''} not found: ${names.join(', ')}`);
  };
  missing(
    'secret',
    secrets
      .filter(({ secretId, secretName }) => nameOf(tx, 'secret', secretId) !== secretName)
      .map(({ secretName }) => secretName),
  );
  missing(
    'config',
    configs
      .filter(({ configId, configName }) => nameOf(tx, 'config', configId) !== configName)
      .map(({ configName }) => configName),
  );
}

function nameOf(tx: ReadTx, kind: 'secret' | 'config', id: string): string | undefined {
  return tx.get(kind, id)?.spec?.annotations?.name;
}
