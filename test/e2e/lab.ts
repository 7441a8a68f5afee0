import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { eventually } from '../support/eventually.ts';
import { Conversation } from './conversation.ts';
import { tellLogsOfFailures } from './failure-logs.ts';

export const SCRIPT = fileURLToPath(new URL('../../cluster.sh', import.meta.url));
/** Labs of different names do not meet: two runs at a time need two. */
export const LAB_NAME = process.env['SWARM_LAB'] ?? 'e2e';
const LAB_DIR = `/var/tmp/${LAB_NAME}-lab`;
/** Ends what hangs; no measure of speed, since the machine may be busy. */
const COMMAND_TIMEOUT_MS = 300_000;
/** How long a swarm on a busy machine may take to show what a command asked for. */
export const CONVERGENCE_MS = 120_000;

export const REGISTRY = '192.168.77.1:5000';
export const image = (name: string): string => `${REGISTRY}/${name}`;

export interface LabOptions {
  readonly managers?: number;
  readonly workers?: number;
  /** False for hosts that are in no swarm. */
  readonly swarm?: boolean;
  /** For `init`. */
  readonly initFlags?: readonly string[];
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

tellLogsOfFailures(`${LAB_DIR}/hosts`);

/** Why e2e tests cannot run here, or undefined. */
export const noLab = process.getuid?.() === 0 ? undefined : 'needs root, for network namespaces';

/** The lab of `cluster.sh`, driven as a person would. */
export class Lab {
  readonly hosts: readonly string[];

  private constructor(hosts: readonly string[]) {
    this.hosts = hosts;
  }

  static async up(options: LabOptions = {}): Promise<Lab> {
    const { managers = 1, workers = 2, swarm = true, initFlags = [] } = options;
    await script('down');
    const args = ['up', '--managers', `${managers}`, '--workers', `${workers}`, '--bare'];
    mustSucceed(await script(...args), args);
    const names = (role: string, count: number) =>
      role === 'manager' && count === 1
        ? ['manager']
        : Array.from({ length: count }, (_, i) => `${role}-${i + 1}`);
    const lab = new Lab([...names('manager', managers), ...names('worker', workers)]);
    if (swarm) await lab.makeSwarm(initFlags);
    return lab;
  }

  async down(): Promise<void> {
    mustSucceed(await script('down'), ['down']);
  }

  get manager(): string {
    return this.hosts[0] as string;
  }

  /** Of the hosts in the order they were started. */
  address(host: string): string {
    return `192.168.77.${11 + this.hosts.indexOf(host)}`;
  }

  socket(host: string): string {
    return `unix://${LAB_DIR}/hosts/${host}/run/swarm/swarmd.sock`;
  }

  /** Where this machine has a file of the state directory of a host. */
  stateFile(host: string, path: string): string {
    return `${LAB_DIR}/hosts/${host}/state/${path}`;
  }

  /** A verb of cluster.sh; throws when it fails. */
  async verb(...args: string[]): Promise<string> {
    return mustSucceed(await script(...args), args);
  }

  /** Runs a command inside a host and returns what it printed; throws when it fails. */
  async exec(host: string, ...command: string[]): Promise<string> {
    return mustSucceed(await this.tryExec(host, ...command), [host, ...command]);
  }

  tryExec(host: string, ...command: string[]): Promise<CommandResult> {
    return script('exec', host, ...command);
  }

  /** With something to read on standard input. */
  tryExecWith(stdin: string, host: string, ...command: string[]): Promise<CommandResult> {
    return scriptWith(stdin, 'exec', host, ...command);
  }

  /** Starts a command inside a host that is to be talked with. */
  talk(host: string, ...command: string[]): Conversation {
    return new Conversation(SCRIPT, ['exec', host, ...command], labEnv());
  }

  swarmctl(host: string, ...args: string[]): Promise<string> {
    return this.exec(host, 'swarmctl', ...args);
  }

  trySwarmctl(host: string, ...args: string[]): Promise<CommandResult> {
    return this.tryExec(host, 'swarmctl', ...args);
  }

  /** Docker's own command line, run outside of the host that it talks to. */
  docker(host: string, args: readonly string[], stdin = ''): Promise<CommandResult> {
    return run('docker', ['-H', this.socket(host), ...args], stdin);
  }

  /** From the machine outside the swarm. */
  client(...command: string[]): Promise<CommandResult> {
    return script('client', ...command);
  }

  /** The body of http://HOST:PORT/ as the client outside gets it. */
  async http(host: string, port: number): Promise<string> {
    const url = `http://${this.address(host)}:${port}/`;
    const args = ['curl', '-sS', '--fail', '--max-time', '3', url];
    return mustSucceed(await this.client(...args), args);
  }

  /** The names of the network namespaces of a host. */
  async namespaces(host: string): Promise<string[]> {
    return lines(await this.exec(host, 'ls', '/run/netns'));
  }

  /** Runs a command inside a network namespace of a host. */
  inNamespace(host: string, namespace: string, ...command: string[]): Promise<string> {
    return this.exec(host, 'nsenter', `--net=/run/netns/${namespace}`, ...command);
  }

  async id(host: string, kind: string, name: string): Promise<string> {
    return this.swarmctl(host, kind, 'inspect', '--format', '{{.ID}}', name);
  }

  async networkId(host: string, name: string): Promise<string> {
    return this.swarmctl(host, 'network', 'inspect', '--format', '{{.Id}}', name);
  }

  /**
   * Waits until a config of this name is there. One that exists already was made by an attempt
   * whose answer was lost with the leader.
   */
  async writeConfig(host: string, name: string): Promise<void> {
    await converges(async () => {
      const create = ['config', 'create', name, '/etc/hostname'];
      const { code, stderr } = await this.trySwarmctl(host, ...create);
      if (!stderr.includes('already exists')) assert.equal(code, 0, stderr);
    });
  }

  /** Who leads, once `from` knows it. */
  async leader(from: string): Promise<string> {
    return converges(async () => {
      const rows = await this.#managerStatus(from);
      const leader = rows.find((row) => row.endsWith(' Leader'));
      assert.ok(leader, rows.join('\n'));
      return leader.split(' ')[0] as string;
    });
  }

  /** Waits until these, and no others, are nodes, and managers that reach each other. */
  async reach(...hosts: readonly string[]): Promise<void> {
    for (const host of hosts) {
      await converges(async () => {
        const rows = await this.#managerStatus(host);
        const reachable = rows.filter((row) => / Ready (Leader|Reachable)$/.test(row));
        assert.deepEqual(reachable.map((row) => row.split(' ')[0]).sort(), [...hosts].sort());
        assert.equal(rows.length, hosts.length, rows.join('\n'));
      });
    }
  }

  /** Has something else listen on a port of a host; resolves with what makes it free again. */
  async occupy(host: string, port: number): Promise<() => Promise<void>> {
    const listening = () => this.exec(host, 'ss', '-tlnH', `sport = :${port}`);
    const pidFile = `/run/listener-${port}.pid`;
    const listen = `node -e "require('net').createServer().listen(${port})"`;
    const start = `${listen} </dev/null >/dev/null 2>&1 & echo $! >${pidFile}`;
    await this.exec(host, 'sh', '-c', start);
    await converges(async () => assert.notEqual(await listening(), ''));
    return async () => {
      await this.exec(host, 'sh', '-c', `kill $(cat ${pidFile})`);
      await converges(async () => assert.equal(await listening(), ''));
    };
  }

  /** The first host inits, the others join. */
  async makeSwarm(initFlags: readonly string[] = []): Promise<void> {
    const own = ['--advertise-addr', this.address(this.manager)];
    await this.swarmctl(this.manager, 'init', ...own, ...initFlags);
    for (const host of this.hosts.slice(1)) {
      const role = host.startsWith('manager') ? 'manager' : 'worker';
      const token = await this.swarmctl(this.manager, 'join-token', '-q', role);
      const address = this.address(host);
      const remote = `${this.address(this.manager)}:2377`;
      await this.swarmctl(host, 'join', '--token', token, '--advertise-addr', address, remote);
    }
  }

  /** What `from` says of each node, e.g. `manager-1 Ready Leader`. */
  async #managerStatus(from: string): Promise<string[]> {
    const format = '{{.Hostname}} {{.Status}} {{.ManagerStatus}}';
    return lines(await this.swarmctl(from, 'node', 'ls', '--format', format));
  }
}

export function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

/** `eventually` with the patience that a swarm of real containers needs. */
export function converges<T>(check: () => Promise<T>): Promise<T> {
  return eventually(check, CONVERGENCE_MS);
}

/** Runs a verb of cluster.sh, whatever comes of it. */
export function script(...args: string[]): Promise<CommandResult> {
  return scriptWith('', ...args);
}

function scriptWith(stdin: string, ...args: string[]): Promise<CommandResult> {
  return run(SCRIPT, args, stdin);
}

function run(file: string, args: readonly string[], stdin: string): Promise<CommandResult> {
  return new Promise((resolve) => {
    const options = {
      env: labEnv(),
      timeout: COMMAND_TIMEOUT_MS,
      maxBuffer: 64 * 1024 * 1024,
    };
    const child = execFile(file, [...args], options, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0;
      resolve({ stdout: stdout.trimEnd(), stderr: stderr.trimEnd(), code });
    });
    // What ends before it has read what there is to read has still done its work.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(stdin);
  });
}

function labEnv(): NodeJS.ProcessEnv {
  return { ...process.env, SWARM_LAB: LAB_NAME };
}

function mustSucceed(result: CommandResult, args: readonly string[]): string {
  if (result.code === 0) return result.stdout;
  throw new Error(
    `${args.join(' ')}: exit code ${result.code}\n${result.stderr}\n${result.stdout}`,
  );
}
