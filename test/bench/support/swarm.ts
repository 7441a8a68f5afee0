import type { Api } from './api.ts';

/** A swarm that is measured, ours or another: what the benches need of either. */
export interface SwarmUnderTest {
  readonly name: string;
  /** Managers first; the first one leads after `up`. */
  readonly hosts: readonly string[];
  readonly managers: readonly string[];
  /** A small image with busybox, there on every host or in a registry that they reach. */
  readonly image: string;
  api(host: string): Api;
  /** As this machine sees it. */
  daemonPid(host: string): number;
  address(host: string): string;
  /** The name of the host's network namespace. */
  netns(host: string): string;
  /** As the swarm knows it. */
  hostname(host: string): string;
  /** The network namespace of a machine that is no part of the swarm and reaches its hosts. */
  readonly outside: string;
  /** Starts the daemon of `host` again. */
  restart(host: string): Promise<void>;
  /** Pulls the network cable of `host`, without either end being told. */
  unplug(host: string): Promise<void>;
  plug(host: string): Promise<void>;
  down(): Promise<void>;
}

export interface Task {
  readonly ID: string;
  readonly NodeID: string;
  readonly DesiredState: string;
  readonly Status: {
    readonly State: string;
    readonly ContainerStatus?: { ContainerID?: string; PID?: number };
  };
}

export interface ServiceRequest {
  readonly name: string;
  readonly replicas: number;
  readonly command: readonly string[];
  readonly network?: string | undefined;
  readonly hostname?: string;
}

/** The body of a service that starts at once and ends at once. */
export function serviceBody(image: string, request: ServiceRequest): Record<string, unknown> {
  return {
    Name: request.name,
    TaskTemplate: {
      ContainerSpec: {
        Image: image,
        Command: request.command,
        StopSignal: 'SIGKILL',
        StopGracePeriod: 1_000_000_000,
      },
      ...(request.network ? { Networks: [{ Target: request.network }] } : {}),
      ...(request.hostname
        ? { Placement: { Constraints: [`node.hostname==${request.hostname}`] } }
        : {}),
    },
    Mode: { Replicated: { Replicas: request.replicas } },
  };
}

export async function tasksOf(api: Api, service: string): Promise<Task[]> {
  const filters = encodeURIComponent(JSON.stringify({ service: [service] }));
  return api.call<Task[]>('GET', `/tasks?filters=${filters}`);
}

export async function runningTasks(api: Api, service: string): Promise<Task[]> {
  const tasks = await tasksOf(api, service);
  return tasks.filter((t) => t.Status.State === 'running' && t.DesiredState === 'running');
}

/** Creates the service and waits for its tasks; resolves with its id. */
export async function startService(
  swarm: SwarmUnderTest,
  request: ServiceRequest,
): Promise<string> {
  const api = swarm.api(swarm.hosts[0] as string);
  const body = serviceBody(swarm.image, request);
  const { ID } = await api.call<{ ID: string }>('POST', '/services/create', body);
  const running = async () => (await runningTasks(api, ID)).length === request.replicas;
  await timeUntil(`${request.replicas} tasks of ${request.name} run`, running);
  return ID;
}

/** Polls each `pollMs` until `done`; resolves with the milliseconds that it took. */
export async function timeUntil(
  what: string,
  done: () => Promise<boolean>,
  { pollMs = 20, deadlineMs = 120_000 } = {},
): Promise<number> {
  const start = performance.now();
  while (!(await done())) {
    if (performance.now() - start > deadlineMs) {
      throw new Error(`${what}: not within ${deadlineMs / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
  return performance.now() - start;
}
