import {
  type EndpointSpec,
  EndpointSpec_ResolutionMode,
  type ServiceSpec,
} from '../../proto/gen/swarm/specs.ts';
import {
  type PortConfig,
  PortConfig_PublishMode,
  type UpdateConfig,
} from '../../proto/gen/swarm/types.ts';
import { negative } from './validate-duration.ts';
import { invalid, validateDnsName } from './validate-names.ts';
import { validateTask } from './validate-task.ts';

const MAX_PORT = 65_535;

/** What can be told from the spec alone. Throws SWM_INVALID_ARGUMENT. */
export function validateService(spec: ServiceSpec): void {
  validateDnsName(spec.annotations);
  validateTask(spec.task);
  if (!spec.mode) throw invalid('the service was given no mode: replicated, global or a job');
  validateUpdateConfig('update', spec.update);
  validateUpdateConfig('rollback', spec.rollback);
  if (isJob(spec) && (spec.update || spec.rollback)) {
    throw invalid('Jobs may not have an update config');
  }
  validateEndpoint(spec.endpoint);
  validateNetworkTargets(spec);
}

export function isJob(spec: ServiceSpec): boolean {
  return spec.mode?.$case === 'replicatedJob' || spec.mode?.$case === 'globalJob';
}

/** The networks that tasks of `spec` are attached to; the old field counts if the new one is empty. */
export function networksOf(spec: ServiceSpec) {
  return spec.task?.networks.length ? spec.task.networks : spec.networks;
}

/** Ports that every node answers on. */
export function ingressPorts(spec: ServiceSpec): PortConfig[] {
  const ports = spec.endpoint?.ports ?? [];
  return ports.filter(({ publishMode }) => publishMode === PortConfig_PublishMode.INGRESS);
}

function validateUpdateConfig(name: 'update' | 'rollback', config: UpdateConfig | undefined) {
  if (!config) return;
  if (negative(config.delay)) throw invalid(`TaskSpec: ${name}-delay cannot be negative`);
  if (negative(config.monitor)) throw invalid(`TaskSpec: ${name}-monitor cannot be negative`);
  const ratio = config.maxFailureRatio;
  if (!(ratio >= 0 && ratio <= 1)) {
    throw invalid(`TaskSpec: ${name}-maxfailureratio cannot be less than 0 or bigger than 1`);
  }
}

function validateEndpoint(endpoint: EndpointSpec | undefined): void {
  const published = new Set<string>();
  for (const port of endpoint?.ports ?? []) {
    validatePort(port);
    const ingress = port.publishMode === PortConfig_PublishMode.INGRESS;
    if (ingress && endpoint?.mode === EndpointSpec_ResolutionMode.DNSRR) {
      throw invalid("EndpointSpec: port published with ingress mode can't be used with dnsrr mode");
    }
    if (port.publishedPort === 0) continue;
    const key = `${port.publishMode}/${port.protocol}/${port.publishedPort}`;
    if (published.has(key)) throw invalid('EndpointSpec: duplicate published ports provided');
    published.add(key);
  }
}

function validatePort({ targetPort, publishedPort }: PortConfig): void {
  if (targetPort < 1 || targetPort > MAX_PORT) {
    throw invalid(`EndpointSpec: invalid target port ${targetPort}: must be between 1 and 65535`);
  }
  if (publishedPort > MAX_PORT) {
    throw invalid(`EndpointSpec: invalid published port ${publishedPort}: must be 65535 or less`);
  }
}

function validateNetworkTargets(spec: ServiceSpec): void {
  const targets = new Set<string>();
  for (const { target } of networksOf(spec)) {
    if (target === '') throw invalid('a network of the service has neither id nor name');
    if (targets.has(target)) throw invalid(`network ${target} is given more than once`);
    targets.add(target);
  }
}
