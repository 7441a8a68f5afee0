import type { ContainerCreateBody, HostConfig } from '../../../worker/index.ts';
import { badRequest } from '../http/errors.ts';
import type { JsonReader } from '../http/json-reader.ts';

/**
 * The body of POST /containers/create as the engine takes it. Checks the types of what the engine
 * uses; fields nobody here knows are kept, and shown again by inspect.
 */
export function containerCreateFromApi(json: JsonReader): ContainerCreateBody {
  const image = json.string('Image');
  if (image === '') throw badRequest('invalid container: Image must name an image, found ""');
  for (const key of ['Hostname', 'Domainname', 'User', 'WorkingDir', 'StopSignal']) {
    json.optionalString(key);
  }
  for (const key of ['Tty', 'OpenStdin', 'StdinOnce', 'AttachStdin']) json.optionalBoolean(key);
  json.strings('Env');
  json.stringMap('Labels');
  json.object('ExposedPorts');
  json.object('Volumes');
  json.object('Healthcheck')?.words('Test');
  json.optionalInteger('StopTimeout');
  checkNetworking(json.object('NetworkingConfig'));
  const hostConfig = hostConfigFromApi(json.object('HostConfig'));
  return {
    ...(json.raw as object),
    Image: image,
    Cmd: json.has('Cmd') ? json.words('Cmd') : null,
    Entrypoint: json.has('Entrypoint') ? json.words('Entrypoint') : null,
    HostConfig: hostConfig,
  };
}

/** Checks the types of what the engine uses; other fields are kept. */
export function hostConfigFromApi(json: JsonReader | undefined): HostConfig {
  if (!json) return {};
  json.optionalString('NetworkMode');
  for (const key of [
    'Binds',
    'CapAdd',
    'CapDrop',
    'Dns',
    'DnsOptions',
    'DnsSearch',
    'ExtraHosts',
    'GroupAdd',
    'SecurityOpt',
  ]) {
    json.strings(key);
  }
  for (const key of ['AutoRemove', 'Privileged', 'PublishAllPorts', 'ReadonlyRootfs', 'Init']) {
    json.optionalBoolean(key);
  }
  for (const key of ['Memory', 'NanoCpus', 'CpuShares', 'PidsLimit', 'OomScoreAdj', 'ShmSize']) {
    json.optionalInteger(key);
  }
  json.stringMap('Tmpfs');
  json.stringMap('Sysctls');
  json.object('RestartPolicy')?.optionalString('Name');
  for (const mount of json.objects('Mounts')) checkMount(mount);
  const ports = json.object('PortBindings');
  for (const port of Object.keys(ports?.raw ?? {})) checkPort(ports as JsonReader, port);
  return json.raw as HostConfig;
}

function checkMount(mount: JsonReader): void {
  const type = mount.string('Type');
  if (!['bind', 'volume', 'tmpfs'].includes(type)) {
    throw badRequest(`invalid mount config for type "${type}": mount type unknown`);
  }
  if (mount.string('Target') === '') {
    throw badRequest(`invalid mount config for type "${type}": field Target must not be empty`);
  }
  mount.optionalString('Source');
  mount.optionalBoolean('ReadOnly');
}

function checkPort(ports: JsonReader, key: string): void {
  if (!/^\d{1,5}(\/(tcp|udp|sctp))?$/.test(key)) {
    throw badRequest(`invalid port specification: "${key}"`);
  }
  for (const binding of ports.objects(key)) {
    binding.optionalString('HostIp');
    const port = binding.string('HostPort');
    if (!/^(\d{1,5}(-\d{1,5})?)?$/.test(port)) {
      throw badRequest(`invalid port specification: "${port}"`);
    }
  }
}

function checkNetworking(json: JsonReader | undefined): void {
  const endpoints = json?.object('EndpointsConfig');
  for (const name of Object.keys(endpoints?.raw ?? {})) {
    const endpoint = endpoints?.object(name);
    endpoint?.strings('Aliases');
    endpoint?.object('IPAMConfig')?.optionalString('IPv4Address');
  }
}
