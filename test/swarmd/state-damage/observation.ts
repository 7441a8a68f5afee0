import type { DaemonRun } from './daemon-run.ts';

/** What a user sees of a node, and of the swarm if it is a manager: what damage must not change. */
export type Observation = Readonly<Record<string, unknown>>;

interface Info {
  readonly ID: string;
  readonly Swarm: {
    readonly NodeID: string;
    readonly NodeAddr: string;
    readonly LocalNodeState: string;
    readonly ControlAvailable: boolean;
    readonly Error: string;
  };
}

/** Undefined while the daemon does not answer, or answers that it cannot yet. */
export async function observe(
  run: DaemonRun,
  isManager: boolean,
): Promise<Observation | undefined> {
  const info = await run.get<Info>('/info');
  if (!info) return undefined;
  const { NodeID, NodeAddr, LocalNodeState, ControlAvailable } = info.Swarm;
  const paths = isManager ? [...LOCAL, ...SWARM] : LOCAL;
  const lists = await Promise.all(paths.map(([path, part]) => list(run, path, part)));
  if (lists.includes(undefined)) return undefined;
  const seen = paths.map(([path], i) => [path, lists[i]] as const);
  const node = { NodeID, NodeAddr, LocalNodeState, ControlAvailable };
  return { node, ...Object.fromEntries(seen) };
}

/** The failure that the daemon reports of its node. */
export async function reportedError(run: DaemonRun): Promise<string | undefined> {
  const info = await run.get<Info>('/info');
  return info?.Swarm.LocalNodeState === 'error' ? info.Swarm.Error : undefined;
}

/** The name of this machine alone may change: it is one, and nothing refers to it. */
export async function daemonId(run: DaemonRun): Promise<string | undefined> {
  return (await run.get<Info>('/info'))?.ID;
}

/** The parts of `after` that are not as `before`. */
export function differences(before: Observation, after: Observation): string[] {
  return Object.keys(before)
    .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
    .map((key) => `${key}: ${JSON.stringify(before[key])} became ${JSON.stringify(after[key])}`);
}

// biome-ignore lint/suspicious/noExplicitAny: bodies of an API, of which each part is picked by name
type Body = any;
type Part = (each: Body) => unknown;

const LOCAL: readonly (readonly [string, Part])[] = [
  [
    '/containers/json?all=1',
    ({ Id, Names, Image, State, Labels }) => [Id, Names, Image, State, Labels],
  ],
  ['/volumes', ({ Name, CreatedAt }) => [Name, CreatedAt]],
  ['/images/json', ({ Id, RepoTags }) => [Id, RepoTags]],
  ['/networks', ({ Id, Name, Driver, Scope, IPAM }) => [Id, Name, Driver, Scope, IPAM?.Config]],
];

const SWARM: readonly (readonly [string, Part])[] = [
  ['/services', ({ ID, Spec, CreatedAt }) => [ID, Spec, CreatedAt]],
  ['/configs', ({ ID, Spec }) => [ID, Spec]],
  ['/secrets', ({ ID, Spec }) => [ID, Spec]],
  [
    '/nodes',
    ({ ID, Spec, Description, Status, CreatedAt }) => [
      ID,
      Spec,
      Description.Hostname,
      Status.State,
      Status.Addr,
      CreatedAt,
    ],
  ],
  [
    '/tasks',
    ({ ID, ServiceID, NodeID, DesiredState, Status, NetworksAttachments }) => [
      ID,
      ServiceID,
      NodeID,
      DesiredState,
      Status.State,
      NetworksAttachments?.map(({ Addresses }: Body) => Addresses),
    ],
  ],
  ['/swarm', ({ ID, JoinTokens, Spec, CreatedAt }) => [ID, JoinTokens, Spec, CreatedAt]],
];

async function list(run: DaemonRun, path: string, part: Part): Promise<unknown[] | undefined> {
  const body = await run.get<Body>(path);
  if (body === undefined) return undefined;
  const items: Body[] = Array.isArray(body) ? body : (body.Volumes ?? [body]);
  return items
    .map((item) => JSON.stringify(part(item)))
    .sort()
    .map((text) => JSON.parse(text));
}
