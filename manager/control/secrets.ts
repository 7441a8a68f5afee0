import { SwarmError } from '../../common/errors.ts';
import { newId } from '../../common/ids.ts';
import type { Config, Secret } from '../../proto/gen/swarm/objects.ts';
import type { ConfigSpec, SecretSpec } from '../../proto/gen/swarm/specs.ts';
import type { ReadTx } from '../store/types.ts';
import { type ControlContext, refuseStale, requireObject, writeObject } from './control-context.ts';
import { validateConfig, validateLabelsOnly, validateSecret } from './validate-secret.ts';

/** Throws SWM_INVALID_ARGUMENT, SWM_CONFLICT for a taken name. */
export async function createSecret(context: ControlContext, spec: SecretSpec): Promise<Secret> {
  validateSecret(spec);
  return writeObject(context, 'secret', (tx) => {
    const secret: Secret = { id: newId(context.random), spec, internal: false };
    tx.create('secret', secret);
    return secret;
  });
}

/** Changes labels. Throws SWM_NOT_FOUND, SWM_INVALID_ARGUMENT, SWM_OUT_OF_SEQUENCE. */
export async function updateSecret(
  context: ControlContext,
  id: string,
  version: number,
  spec: SecretSpec,
): Promise<Secret> {
  return writeObject(context, 'secret', (tx) => {
    const secret = requireObject(tx, 'secret', id);
    refuseStale(secret, version);
    validateLabelsOnly(secret.spec, spec);
    const relabelled = { ...(secret.spec as SecretSpec), annotations: spec.annotations };
    const updated = { ...secret, spec: relabelled };
    tx.update('secret', updated);
    return updated;
  });
}

/** Throws SWM_NOT_FOUND, SWM_INVALID_ARGUMENT while services use it. */
export async function removeSecret(context: ControlContext, id: string): Promise<void> {
  await context.store.update((tx) => {
    const secret = requireObject(tx, 'secret', id);
    refuseInUse(tx, 'secret', secret.spec?.annotations?.name ?? id, { secretId: id });
    tx.remove('secret', id);
  });
}

/** Throws SWM_INVALID_ARGUMENT, SWM_CONFLICT for a taken name. */
export async function createConfig(context: ControlContext, spec: ConfigSpec): Promise<Config> {
  validateConfig(spec);
  return writeObject(context, 'config', (tx) => {
    const config: Config = { id: newId(context.random), spec };
    tx.create('config', config);
    return config;
  });
}

/** Changes labels. Throws SWM_NOT_FOUND, SWM_INVALID_ARGUMENT, SWM_OUT_OF_SEQUENCE. */
export async function updateConfig(
  context: ControlContext,
  id: string,
  version: number,
  spec: ConfigSpec,
): Promise<Config> {
  return writeObject(context, 'config', (tx) => {
    const config = requireObject(tx, 'config', id);
    refuseStale(config, version);
    validateLabelsOnly(config.spec, spec);
    const relabelled = { ...(config.spec as ConfigSpec), annotations: spec.annotations };
    const updated = { ...config, spec: relabelled };
    tx.update('config', updated);
    return updated;
  });
}

/** Throws SWM_NOT_FOUND, SWM_INVALID_ARGUMENT while services use it. */
export async function removeConfig(context: ControlContext, id: string): Promise<void> {
  await context.store.update((tx) => {
    const config = requireObject(tx, 'config', id);
    refuseInUse(tx, 'config', config.spec?.annotations?.name ?? id, { configId: id });
    tx.remove('config', id);
  });
}

function refuseInUse(
  tx: ReadTx,
  kind: 'secret' | 'config',
  name: string,
  by: { readonly secretId: string } | { readonly configId: string },
): void {
  const names = tx.find('service', by).map(({ id, spec }) => spec?.annotations?.name ?? id);
  if (names.length === 0) return;
  const services = `service${names.length > 1 ? 's' : ''}: ${names.sort().join(', ')}`;
  throw new SwarmError(
    'SWM_INVALID_ARGUMENT',
    `${kind} '${name}' is in use by the following ${services}`,
  );
}
