import { SwarmError } from '../../../common/errors.ts';
import type { Config, Secret } from '../../../proto/gen/swarm/objects.ts';
import type { ContainerSpec, FileTarget } from '../../../proto/gen/swarm/specs.ts';
import type { InjectedFile } from '../../engine/types.ts';
import { TemporaryError } from '../controller.ts';
import { expandTemplate, type TemplateFunction, type TemplateScope } from './template.ts';

/** The secrets and configs that the manager sent to this node. */
export interface Dependencies {
  readonly secrets: ReadonlyMap<string, Secret>;
  readonly configs: ReadonlyMap<string, Config>;
  /** False until the first whole set of assignments: what is missing may still come. */
  readonly complete: boolean;
}

/** The files that a task gets from its secrets and configs, templates in them expanded. */
export function injectedFiles(
  spec: ContainerSpec,
  dependencies: Dependencies,
  scope: TemplateScope,
): InjectedFile[] {
  const payloads = { ...scope, functions: payloadFunctions(spec, dependencies) };
  const secrets = spec.secrets.map(({ secretId, secretName, file }) => {
    const secret = require(dependencies, dependencies.secrets.get(secretId), 'secret', secretName);
    const data = payload(secret.spec?.data, secret.spec?.templating?.name, payloads);
    return injected(file, '/run/secrets/', secretName, data, true);
  });
  const configs = spec.configs.flatMap(({ configId, configName, target }) => {
    if (target?.$case === 'runtime') return [];
    const config = require(dependencies, dependencies.configs.get(configId), 'config', configName);
    const templating = config.spec?.templating?.name;
    const data = payload(config.spec?.data, templating, payloads);
    // A config that is filled in may have taken in a secret, and is guarded like one.
    return [injected(target?.file, '/', configName, data, templating === GOLANG)];
  });
  return [...secrets, ...configs];
}

const GOLANG = 'golang';
const DEFAULT_MODE = 0o444;

function require<T>(
  dependencies: Dependencies,
  found: T | undefined,
  kind: string,
  name: string,
): T {
  if (found) return found;
  if (!dependencies.complete) throw new TemporaryError(`${kind} ${name} has not come yet`);
  throw new SwarmError('SWM_NOT_FOUND', `${kind} ${name} was not sent to this node`, {
    hint: `Look whether the ${kind} still exists.`,
  });
}

function injected(
  file: FileTarget | undefined,
  folder: string,
  name: string,
  data: Uint8Array,
  secret: boolean,
): InjectedFile {
  const target = file?.name || name;
  return {
    path: target.startsWith('/') ? target : folder + target,
    uid: Number(file?.uid || 0),
    gid: Number(file?.gid || 0),
    mode: file?.mode || DEFAULT_MODE,
    data,
    secret,
  };
}

function payload(
  data: Uint8Array = new Uint8Array(),
  templating: string | undefined,
  scope: TemplateScope,
): Uint8Array {
  if (templating !== GOLANG) return data;
  return Buffer.from(expandTemplate(Buffer.from(data).toString('utf8'), scope));
}

/** `secret`, `config` and `env`, by which a template takes in the task's other values. */
function payloadFunctions(
  spec: ContainerSpec,
  { secrets, configs }: Dependencies,
): Record<string, TemplateFunction> {
  const text = (data: Uint8Array | undefined) => Buffer.from(data ?? []).toString('utf8');
  const missing = (kind: string, target: unknown) =>
    new SwarmError('SWM_INVALID_ARGUMENT', `template wants ${kind} "${target}", which is not set`);
  return {
    secret: (target) => {
      const reference = spec.secrets.find((s) => (s.file?.name || s.secretName) === target);
      if (!reference) throw missing('secret', target);
      return text(secrets.get(reference.secretId)?.spec?.data);
    },
    config: (target) => {
      const reference = spec.configs.find(
        (c) => (c.target?.$case === 'file' ? c.target.file.name : c.configName) === target,
      );
      if (!reference) throw missing('config', target);
      return text(configs.get(reference.configId)?.spec?.data);
    },
    env: (name) => {
      const entry = spec.env.findLast((line) => line.startsWith(`${name}=`));
      return entry?.slice(`${name}=`.length) ?? '';
    },
  };
}
