import { InvalidArgumentError } from 'commander';
import { CliError } from '../cli-error.ts';
import { filtersQuery } from '../client.ts';
import type { Context } from '../context.ts';
import { parseBytes, parseFields, splitPair } from '../options/parse.ts';

export interface NetworkFlag {
  readonly Target: string;
  readonly Aliases?: string[];
  readonly DriverOpts?: Record<string, string>;
}

/** `--network`: a name, or name=…,alias=…,driver-opt=k=v. */
export function parseNetwork(text: string): NetworkFlag {
  if (!text.includes('=')) return { Target: text };
  const aliases: string[] = [];
  const options: Record<string, string> = {};
  let target = '';
  for (const [key, value] of parseFields(text)) {
    if (key === 'name') target = value;
    else if (key === 'alias') aliases.push(value);
    else if (key === 'driver-opt') options[splitPair(value)[0]] = splitPair(value)[1];
    else throw new InvalidArgumentError(`"${text}": unknown field ${key}.`);
  }
  if (target === '') throw new InvalidArgumentError(`"${text}": name is missing.`);
  return {
    Target: target,
    ...(aliases.length > 0 ? { Aliases: aliases } : {}),
    ...(Object.keys(options).length > 0 ? { DriverOpts: options } : {}),
  };
}

/** `--mount type=volume,source=…,target=…,…`. */
export function parseMount(text: string): Record<string, unknown> {
  const mount: Record<string, unknown> = { Type: 'volume' };
  const group = (name: string) => {
    mount[name] ??= {};
    return mount[name] as Record<string, unknown>;
  };
  for (const [key, value] of parseFields(text)) {
    const flag = value === '' || value === 'true' || value === '1';
    if (key === 'type') mount['Type'] = value;
    else if (key === 'source' || key === 'src') mount['Source'] = value;
    else if (key === 'target' || key === 'dst' || key === 'destination') mount['Target'] = value;
    else if (key === 'readonly' || key === 'ro') mount['ReadOnly'] = flag;
    else if (key === 'consistency') mount['Consistency'] = value;
    else if (key === 'bind-propagation') group('BindOptions')['Propagation'] = value;
    else if (key === 'volume-nocopy') group('VolumeOptions')['NoCopy'] = flag;
    else if (key === 'volume-subpath') group('VolumeOptions')['Subpath'] = value;
    else if (key === 'volume-label') addPair(group('VolumeOptions'), 'Labels', value);
    else if (key === 'volume-driver') driverConfig(group('VolumeOptions'))['Name'] = value;
    else if (key === 'volume-opt') addPair(driverConfig(group('VolumeOptions')), 'Options', value);
    else if (key === 'tmpfs-size') group('TmpfsOptions')['SizeBytes'] = parseBytes(value);
    else if (key === 'tmpfs-mode') group('TmpfsOptions')['Mode'] = Number.parseInt(value, 8);
    else throw new InvalidArgumentError(`"${text}": unexpected key '${key}'.`);
  }
  if (!mount['Target']) throw new InvalidArgumentError(`"${text}": target is required.`);
  return mount;
}

function driverConfig(options: Record<string, unknown>): Record<string, unknown> {
  options['DriverConfig'] ??= {};
  return options['DriverConfig'] as Record<string, unknown>;
}

function addPair(options: Record<string, unknown>, key: string, pair: string): void {
  const [name, value] = splitPair(pair);
  options[key] = { ...(options[key] as object | undefined), [name]: value };
}

export interface FileFlag {
  readonly source: string;
  readonly target: string;
  readonly uid: string;
  readonly gid: string;
  readonly mode: number;
}

const DEFAULT_MODE = 0o444;

/** `--secret` and `--config`: a name, or source=…,target=…,uid=…,gid=…,mode=…. */
export function parseFile(text: string): FileFlag {
  const fields = text.includes('=') ? Object.fromEntries(parseFields(text)) : { source: text };
  const { source, src, target = source ?? src, uid = '0', gid = '0', mode } = fields;
  const name = source ?? src;
  if (!name || !target) throw new InvalidArgumentError(`"${text}": source is required.`);
  const bits = mode === undefined ? DEFAULT_MODE : Number.parseInt(mode, 8);
  if (Number.isNaN(bits)) throw new InvalidArgumentError(`"${text}": mode is not octal.`);
  return { source: name, target, uid, gid, mode: bits };
}

/** References to secrets or configs by id, as the spec wants them. */
export async function resolveFiles(
  context: Context,
  kind: 'secret' | 'config',
  files: readonly FileFlag[],
): Promise<Record<string, unknown>[]> {
  if (files.length === 0) return [];
  const title = kind === 'secret' ? 'Secret' : 'Config';
  const query = filtersQuery(files.map((file) => `name=${file.source}`));
  const found = await context.api.get<{ ID: string; Spec: { Name: string } }[]>(`/${kind}s`, query);
  return files.map((file) => {
    const object = found.find(({ Spec }) => Spec.Name === file.source);
    if (!object) throw new CliError(`${kind} not found: ${file.source}`);
    return {
      File: { Name: file.target, UID: file.uid, GID: file.gid, Mode: file.mode },
      [`${title}ID`]: object.ID,
      [`${title}Name`]: file.source,
    };
  });
}

/** Networks by id; each must be one that services can use. */
export async function resolveNetworks(
  context: Context,
  networks: readonly NetworkFlag[],
): Promise<NetworkFlag[]> {
  return Promise.all(
    networks.map(async (network) => {
      const path = `/networks/${encodeURIComponent(network.Target)}`;
      const { Id } = await context.api.get<{ Id: string }>(path, { scope: 'swarm' });
      return { ...network, Target: Id };
    }),
  );
}
