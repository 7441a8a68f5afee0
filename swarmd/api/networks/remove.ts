import type { ApiComponents } from '../components.ts';
import { requireManager } from '../guards.ts';
import { forbidden } from '../http/errors.ts';
import type { ListedNetwork } from './directory.ts';

export async function removeNetwork(
  { node, events, clock }: ApiComponents,
  network: ListedNetwork,
): Promise<void> {
  if (network.predefined) {
    throw forbidden(`${network.name} is a pre-defined network and cannot be removed`);
  }
  if (network.scope === 'swarm') {
    await requireManager(node).control.removeNetwork(network.id);
    return;
  }
  await node.netdriver.removeLocalNetwork(network.id);
  events.publish({
    type: 'network',
    action: 'destroy',
    id: network.id,
    attributes: { name: network.name, type: network.driver },
    scope: 'local',
    timeMs: clock.now(),
  });
}
