import { authorizationInterceptor, OpenCalls } from './ca/index.ts';
import { addManagerServices, type ManagerServicesComponents } from './manager-services.ts';
import { type RpcListener, RpcServer } from './rpc-server.ts';

/**
 * What listens on port 2377. Each call is authorized, and ends when its caller is removed from the
 * swarm.
 */
export function createManagerServer(
  components: Omit<ManagerServicesComponents, 'server'>,
): RpcListener {
  const { clock, store, securityConfig: security, identity, createServer } = components;
  const isRemoved = (nodeId: string) => {
    const cluster = store.view((tx) => tx.get('cluster', identity().clusterId));
    return cluster !== undefined && Object.hasOwn(cluster.blacklistedCertificates, nodeId);
  };
  const openCalls = new OpenCalls();
  store.subscribe(({ changes, restored }) => {
    if (restored || changes.some(({ kind }) => kind === 'cluster')) openCalls.endOf(isRemoved);
  });
  const interceptors = [authorizationInterceptor({ identity, isRemoved, openCalls })];
  const init = { clock, security, interceptors };
  const server = createServer?.(init) ?? new RpcServer(init);
  addManagerServices({ ...components, server });
  return server;
}
