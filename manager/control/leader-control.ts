import type { ControlApi } from '../types.ts';
import { updateCluster } from './clusters.ts';
import type { ControlContext } from './control-context.ts';
import { createNetwork, removeNetwork } from './networks.ts';
import { removeNode, updateNode } from './nodes.ts';
import {
  createConfig,
  createSecret,
  removeConfig,
  removeSecret,
  updateConfig,
  updateSecret,
} from './secrets.ts';
import { createService, removeService, updateService } from './services.ts';

/** The control operations on the leader's store. Each rejects with SWM_NOT_LEADER elsewhere. */
export function leaderControl(context: ControlContext): ControlApi {
  return {
    createService: (spec) => createService(context, spec),
    updateService: (id, version, spec, rollback) =>
      updateService(context, id, version, spec, rollback),
    removeService: (id) => removeService(context, id),
    createNetwork: (spec) => createNetwork(context, spec),
    removeNetwork: (id) => removeNetwork(context, id),
    updateNode: (id, version, spec) => updateNode(context, id, version, spec),
    removeNode: (id, force) => removeNode(context, id, force),
    updateCluster: (version, spec, rotation) => updateCluster(context, version, spec, rotation),
    createSecret: (spec) => createSecret(context, spec),
    updateSecret: (id, version, spec) => updateSecret(context, id, version, spec),
    removeSecret: (id) => removeSecret(context, id),
    createConfig: (spec) => createConfig(context, spec),
    updateConfig: (id, version, spec) => updateConfig(context, id, version, spec),
    removeConfig: (id) => removeConfig(context, id),
  };
}
