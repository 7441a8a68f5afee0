import { SwarmError } from '../../../common/errors.ts';
import type { ContainerConfig } from '../../engine/types.ts';

type Draft = Partial<ContainerConfig>;

/** Applies the Dockerfile instructions of `import --change`. Throws SWM_INVALID_ARGUMENT. */
export function applyChanges(changes: readonly string[]): Partial<ContainerConfig> {
  let config: Draft = {};
  for (const change of changes) {
    const [, name = '', argument = ''] = /^\s*(\w+)\s+(.*)$/s.exec(change) ?? [];
    const instruction = instructions[name.toUpperCase()];
    if (!instruction) {
      const message = `${name || change} is not a valid change command`;
      throw new SwarmError('SWM_INVALID_ARGUMENT', message);
    }
    config = { ...config, ...instruction(argument.trim(), config) };
  }
  return config;
}

const instructions: Readonly<Record<string, (argument: string, config: Draft) => Draft>> = {
  CMD: (argument) => ({ Cmd: command(argument) }),
  ENTRYPOINT: (argument) => ({ Entrypoint: command(argument) }),
  ENV: (argument, { Env }) => ({
    Env: [...(Env ?? []), ...pairs(argument).map(([key, value]) => `${key}=${value}`)],
  }),
  EXPOSE: (argument, { ExposedPorts }) => ({
    ExposedPorts: { ...ExposedPorts, ...keys(argument.split(/\s+/).map(withProtocol)) },
  }),
  LABEL: (argument, { Labels }) => ({
    Labels: { ...Labels, ...Object.fromEntries(pairs(argument)) },
  }),
  STOPSIGNAL: (argument) => ({ StopSignal: argument }),
  USER: (argument) => ({ User: argument }),
  VOLUME: (argument, { Volumes }) => ({
    Volumes: { ...Volumes, ...keys(jsonList(argument) ?? argument.split(/\s+/)) },
  }),
  WORKDIR: (argument) => ({ WorkingDir: argument }),
};

function command(argument: string): string[] {
  return jsonList(argument) ?? ['/bin/sh', '-c', argument];
}

function jsonList(argument: string): string[] | undefined {
  if (!argument.startsWith('[')) return undefined;
  try {
    const list: unknown = JSON.parse(argument);
    const strings = Array.isArray(list) && list.every((item) => typeof item === 'string');
    return strings ? list : undefined;
  } catch {
    return undefined;
  }
}

/** `a=b "c=d e"`, or the old form `a b c` for the one pair a, "b c". */
function pairs(argument: string): [string, string][] {
  const words = argument.match(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g) ?? [];
  if (!words[0]?.includes('=')) {
    const [key = '', ...rest] = argument.split(/\s+/);
    return [[key, rest.join(' ')]];
  }
  return words.map((word) => {
    const plain = word.replace(/["']/g, '');
    const at = plain.indexOf('=');
    return at < 0 ? [plain, ''] : [plain.slice(0, at), plain.slice(at + 1)];
  });
}

const withProtocol = (port: string): string => (port.includes('/') ? port : `${port}/tcp`);

const keys = (names: readonly string[]): Record<string, object> =>
  Object.fromEntries(names.map((name) => [name, {}]));
