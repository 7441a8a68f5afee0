import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { CliError } from '../cli-error.ts';
import { parseImage } from './reference.ts';

const HUB_SERVER = 'https://index.docker.io/v1/';
/** What credential helpers call the user whose secret is a token. */
const TOKEN_USER = '<token>';

interface AuthEntry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

interface DockerConfig {
  readonly auths?: Readonly<Record<string, AuthEntry>>;
  readonly credsStore?: string;
  readonly credHelpers?: Readonly<Record<string, string>>;
}

/**
 * The header X-Registry-Auth for an image: base64url of JSON, from the logins that `docker login`
 * keeps in `$DOCKER_CONFIG` or ~/.docker; of an empty object when there is none.
 */
export async function registryAuth(image: string, env = process.env): Promise<string> {
  const { domain } = parseImage(image);
  const server = domain === 'docker.io' ? HUB_SERVER : domain;
  const config = await readConfig(env['DOCKER_CONFIG'] || join(homedir(), '.docker'));
  const helper = config.credHelpers?.[server] ?? config.credsStore;
  const login = (helper ? await ask(helper, server, env) : undefined) ?? stored(config, server);
  return Buffer.from(JSON.stringify(login ?? {})).toString('base64url');
}

async function readConfig(folder: string): Promise<DockerConfig> {
  const path = join(folder, 'config.json');
  const json = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return '{}';
    throw new CliError(`cannot read the registry logins: ${error.message}`);
  });
  try {
    return JSON.parse(json) as DockerConfig;
  } catch (error) {
    throw new CliError(`${path} is no JSON: ${(error as Error).message}`);
  }
}

function stored(config: DockerConfig, server: string): object | undefined {
  const wanted = hostOf(server);
  const entries = Object.entries(config.auths ?? {});
  const [, entry] =
    entries.find(([key]) => key === server) ??
    entries.find(([key]) => hostOf(key) === wanted) ??
    [];
  if (!entry) return undefined;
  const { auth, ...rest } = entry;
  const decoded = Buffer.from(auth ?? '', 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  const pair =
    colon > 0
      ? {
          username: decoded.slice(0, colon),
          password: decoded.slice(colon + 1).replace(/\0+$/, ''),
        }
      : {};
  return { ...pair, ...rest, serveraddress: server };
}

/** Logins were once kept by URL: https://host/v1/. */
function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}

/** `docker-credential-NAME get`; undefined when it knows no login, or is not installed. */
async function ask(
  helper: string,
  server: string,
  env: NodeJS.ProcessEnv,
): Promise<object | undefined> {
  const child = spawn(`docker-credential-${helper}`, ['get'], {
    env,
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const code = new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  child.stdin.on('error', () => {}); // It may end without reading.
  child.stdin.end(server);
  const answer = await text(child.stdout);
  if ((await code) !== 0) return undefined;
  const { Username, Secret } = JSON.parse(answer) as { Username: string; Secret: string };
  if (Username === TOKEN_USER) return { identitytoken: Secret, serveraddress: server };
  return { username: Username, password: Secret, serveraddress: server };
}
