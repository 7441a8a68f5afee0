import { isDeepStrictEqual } from 'node:util';
import type { Node, Service, Task } from '../../proto/gen/swarm/objects.ts';
import { EndpointSpec, TaskSpec } from '../../proto/gen/swarm/specs.ts';
import { satisfies } from './constraints.ts';

/** True when the task is not what the service asks for now, so that an update must replace it. */
export function isDirty(service: Service, task: Task, node: Node | undefined): boolean {
  if (sameVersion(service, task)) return false;
  const wanted = service.spec?.task;
  const endpoint = task.endpoint?.spec;
  if (endpoint && !sameEndpoint(service.spec?.endpoint, endpoint)) return true;
  if (!wanted || !task.spec) return true;
  if (sameBytes(comparable(wanted), comparable(task.spec))) return false;
  return !differsInMetConstraints(wanted, task.spec, node);
}

function sameVersion(service: Service, task: Task): boolean {
  const wanted = service.specVersion?.index;
  return wanted !== undefined && wanted === task.specVersion?.index;
}

/** Tighter or looser constraints are no reason to move a task from a node that meets them. */
function differsInMetConstraints(
  wanted: TaskSpec,
  current: TaskSpec,
  node: Node | undefined,
): boolean {
  const constraints = wanted.placement?.constraints ?? [];
  if (!node || isDeepStrictEqual(constraints, current.placement?.constraints ?? [])) return false;
  if (!sameBytes(unconstrained(wanted), unconstrained(current))) return false;
  return satisfies(node, constraints);
}

/** How an image is fetched says nothing about what runs. */
function comparable(spec: TaskSpec): TaskSpec {
  const { runtime } = spec;
  if (runtime?.$case !== 'container') return spec;
  const container = { ...runtime.container, pullOptions: undefined };
  return { ...spec, runtime: { $case: 'container', container } };
}

function unconstrained(spec: TaskSpec): TaskSpec {
  const { preferences = [], platforms = [], maxReplicas = 0 } = spec.placement ?? {};
  const placement = { constraints: [], preferences, platforms, maxReplicas };
  return { ...comparable(spec), placement };
}

function sameBytes(a: TaskSpec, b: TaskSpec): boolean {
  return a === b || Buffer.compare(TaskSpec.encode(a).finish(), TaskSpec.encode(b).finish()) === 0;
}

const NO_ENDPOINT = EndpointSpec.fromPartial({});

function sameEndpoint(a: EndpointSpec = NO_ENDPOINT, b: EndpointSpec): boolean {
  return isDeepStrictEqual(EndpointSpec.encode(a).finish(), EndpointSpec.encode(b).finish());
}
