/** A swarm of a manager (`host2`, whom the client talks to) and a worker, as the engine answers. */

export const swarmSpec = {
  Labels: {},
  Orchestration: { TaskHistoryRetentionLimit: 5 },
  Raft: { ElectionTick: 10, HeartbeatTick: 1 },
  Dispatcher: { HeartbeatPeriod: 5e9 },
  CAConfig: {},
  TaskDefaults: {},
  EncryptionConfig: { AutoLockManagers: false },
};
export const swarm = {
  Version: { Index: 9 },
  Spec: swarmSpec,
  JoinTokens: { Worker: 'SWMTKN-w', Manager: 'SWMTKN-m' },
  TLSInfo: { TrustRoot: '-----BEGIN\n' },
};
export const node = (ID: string, Hostname: string, more: object = {}) => ({
  ID,
  Version: { Index: 3 },
  Spec: { Labels: { a: 'b' }, Role: 'worker', Availability: 'active' },
  Description: { Hostname, Engine: { EngineVersion: '28.2.2' } },
  Status: { State: 'ready', Addr: '10.0.0.1' },
  ...more,
});
const self = node('n1', 'host2', {
  ManagerStatus: { Leader: true, Reachability: 'reachable', Addr: '10.0.0.1:2377' },
});
export const routes = {
  'GET /info': { json: { Swarm: { NodeID: 'n1', ControlAvailable: true } } },
  'GET /nodes': { json: [node('n2', 'host10'), self] },
  'GET /nodes/n1': { json: self },
  'GET /nodes/host10': { json: node('n2', 'host10') },
  'POST /nodes/n2/update': {},
  'GET /swarm': { json: swarm },
  'POST /swarm/update': {},
};
