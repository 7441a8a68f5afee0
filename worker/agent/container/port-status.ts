import type { Task } from '../../../proto/gen/swarm/objects.ts';
import {
  type PortConfig,
  type PortStatus,
  PortConfig_Protocol as Protocol,
  PortConfig_PublishMode as PublishMode,
} from '../../../proto/gen/swarm/types.ts';
import type { Container } from '../../engine/types.ts';

/** The task's host-mode ports as they came to be on this node; undefined without any. */
export function portStatus(task: Task, container: Container): PortStatus | undefined {
  const wanted = (task.endpoint?.ports ?? []).filter(
    ({ publishMode }) => publishMode === PublishMode.HOST,
  );
  if (wanted.length === 0) return undefined;
  return { ports: wanted.flatMap((port) => bound(port, container)) };
}

function bound(port: PortConfig, container: Container): PortConfig[] {
  const protocol = (Protocol[port.protocol] ?? 'TCP').toLowerCase();
  const binding = container.ports.find(
    ({ containerPort, hostPort, protocol: p }) =>
      containerPort === port.targetPort &&
      p === protocol &&
      (port.publishedPort === 0 || port.publishedPort === hostPort),
  );
  return binding ? [{ ...port, publishedPort: binding.hostPort }] : [];
}
