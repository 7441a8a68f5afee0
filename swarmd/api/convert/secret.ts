import type { Config, Secret } from '../../../proto/gen/swarm/objects.ts';
import type { ConfigSpec, SecretSpec } from '../../../proto/gen/swarm/specs.ts';
import type { JsonReader } from '../http/json-reader.ts';
import {
  annotationsFromApi,
  annotationsToApi,
  driverFromApi,
  driverToApi,
  metaToApi,
  nonEmpty,
  optional,
} from './common.ts';

/** Without its data, which no API ever shows. */
export function secretToApi(secret: Secret) {
  const spec = secret.spec;
  return {
    ID: secret.id,
    ...metaToApi(secret.meta),
    Spec: {
      ...annotationsToApi(spec?.annotations),
      ...optional('Driver', driverToApi(spec?.driver)),
      ...optional('Templating', driverToApi(spec?.templating)),
    },
  };
}

export function configToApi(config: Config) {
  const spec = config.spec;
  return {
    ID: config.id,
    ...metaToApi(config.meta),
    Spec: {
      ...annotationsToApi(spec?.annotations),
      ...nonEmpty('Data', Buffer.from(spec?.data ?? []).toString('base64')),
      ...optional('Templating', driverToApi(spec?.templating)),
    },
  };
}

export function secretSpecFromApi(json: JsonReader): SecretSpec {
  return {
    annotations: annotationsFromApi(json),
    data: json.bytes('Data'),
    driver: driverFromApi(json.object('Driver')),
    templating: driverFromApi(json.object('Templating')),
  };
}

export function configSpecFromApi(json: JsonReader): ConfigSpec {
  return {
    annotations: annotationsFromApi(json),
    data: json.bytes('Data'),
    templating: driverFromApi(json.object('Templating')),
  };
}
