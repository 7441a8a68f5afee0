import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeSpec_Availability as Availability } from '../../../proto/gen/swarm/specs.ts';
import { NodeRole } from '../../../proto/gen/swarm/types.ts';
import { leaveWarning } from '../../../swarmd/api/leave-warning.ts';
import type { InitRequest } from '../../../swarmd/api/node-api.ts';
import { member } from '../../manager/control/fixture.ts';
import { addNode, apiBench, NODE_ID } from './bench.ts';

/** As the CLI sends `swarm init` without flags. */
const INIT = {
  ListenAddr: '0.0.0.0:2377',
  AdvertiseAddr: '10.1.0.1',
  DataPathAddr: '',
  DataPathPort: 0,
  ForceNewCluster: false,
  Spec: {
    Labels: null,
    Orchestration: {},
    Raft: { ElectionTick: 0, HeartbeatTick: 0 },
    Dispatcher: {},
    CAConfig: {},
    TaskDefaults: {},
    EncryptionConfig: { AutoLockManagers: false },
  },
  AutoLockManagers: false,
  Availability: '',
  DefaultAddrPool: [],
  SubnetSize: 24,
};

test('init passes a complete request on and answers with the node id', async () => {
  const { call, node } = await apiBench({ swarm: false });
  const { status, text, headers } = await call('POST', '/v1.50/swarm/init', INIT);
  assert.deepEqual([status, text], [200, `"${NODE_ID}"`]);
  assert.equal(headers['content-type'], 'application/json');
  const [name, request] = node.calls[0] as [string, InitRequest];
  assert.equal(name, 'init');
  assert.equal(request.listenAddr, '0.0.0.0:2377');
  assert.equal(request.advertiseAddr, '10.1.0.1');
  assert.equal(request.spec.annotations?.name, 'default');
  assert.equal(request.spec.raft?.snapshotInterval, 10_000);
  assert.equal(request.availability, Availability.ACTIVE);
});

test('autolock counts wherever it is asked for', async () => {
  const { call, node } = await apiBench({ swarm: false });
  await call('POST', '/swarm/init', { ...INIT, AutoLockManagers: true, Availability: 'drain' });
  const request = node.calls[0]?.[1] as InitRequest;
  assert.equal(request.spec.encryptionConfig?.autoLockManagers, true);
  assert.equal(request.availability, Availability.DRAIN);
});

test('init refuses what can never be right', async () => {
  const { call } = await apiBench({ swarm: false });
  const refusal = async (change: object) => {
    const { status, json } = await call('POST', '/swarm/init', { ...INIT, ...change });
    assert.equal(status, 400);
    return json.message;
  };
  assert.equal(
    await refusal({ DataPathPort: 80 }),
    'Datapath port number is not in valid range (1024-49151) : 80',
  );
  assert.equal(await refusal({ SubnetSize: 33 }), 'subnet size is out of range: 33');
  assert.match(await refusal({ DefaultAddrPool: ['10.0.0.0'] }), /invalid default address pool/);
  assert.match(await refusal({ DefaultAddrPool: ['10.0.0.0/26'] }), /subnet size is out of range/);
  assert.equal(
    await refusal({ Spec: { CAConfig: { NodeCertExpiry: 60_000_000_000 } } }),
    'minimum certificate expiry time is: 1h0m0s',
  );
  assert.equal(await refusal({ Spec: { Name: 'other' } }), 'swarm spec must be named "default"');
  const caConfig = (CAConfig: object) => refusal({ Spec: { CAConfig } });
  assert.match(
    await caConfig({ ExternalCAs: [{ Protocol: 'cfssl', URL: 'https://ca.example/sign' }] }),
    /the external CA at https:\/\/ca.example\/sign names no root CA/,
  );
  assert.match(
    await caConfig({ ExternalCAs: [{ Protocol: 'cfssl', URL: 'http://ca.example/sign' }] }),
    /invalid URL of an external CA/,
  );
  assert.match(await caConfig({ SigningCACert: 'x' }), /makes its root CA itself/);
});

const ALREADY =
  'This node is already part of a swarm. Use "docker swarm leave" to leave this swarm and join another one.';

test('a node is in one swarm at a time', async () => {
  const { call } = await apiBench();
  const join = { RemoteAddrs: ['10.1.0.1:2377'], JoinToken: 'SWMTKN-1-x' };
  for (const [url, body] of [
    ['/swarm/init', INIT],
    ['/swarm/join', join],
  ] as const) {
    const { status, json } = await call('POST', url, body);
    assert.deepEqual([status, json.message], [503, ALREADY]);
  }
  const forced = await call('POST', '/swarm/init', { ...INIT, ForceNewCluster: true });
  assert.equal(forced.status, 200);
});

test('join passes its request on, and needs an address', async () => {
  const { call, node } = await apiBench({ swarm: false });
  const body = { ListenAddr: '0.0.0.0:2377', RemoteAddrs: ['a:1'], JoinToken: 't' };
  const joined = await call('POST', '/swarm/join', body);
  assert.deepEqual([joined.status, joined.text], [200, '']);
  assert.equal(joined.headers['content-type'], undefined);
  assert.deepEqual(node.calls[0]?.[1], {
    listenAddr: '0.0.0.0:2377',
    advertiseAddr: '',
    dataPathAddr: '',
    remoteAddrs: ['a:1'],
    joinToken: 't',
    availability: Availability.ACTIVE,
  });
  const nowhere = await call('POST', '/swarm/join', { JoinToken: 't' });
  assert.equal(nowhere.json.message, 'at least 1 RemoteAddr is required to join');
});

test('a node without a manager says why', async () => {
  const { call, node } = await apiBench({ swarm: false });
  const message = async () => {
    const { status, json } = await call('GET', '/nodes');
    assert.equal(status, 503);
    return json.message;
  };
  assert.match(await message(), /^This node is not a swarm manager\. Use "docker swarm init" or/);
  node.become({ localNodeState: 'active', role: 'worker' }, undefined);
  assert.match(await message(), /Worker nodes can't be used to view or modify cluster state/);
  node.become({ localNodeState: 'active', role: 'manager' }, undefined);
  assert.match(await message(), /Manager is being prepared or has trouble connecting/);
  node.become({ localNodeState: 'locked', role: 'manager' }, undefined);
  assert.match(await message(), /^Swarm is encrypted and needs to be unlocked before/);
});

test('inspecting shows the spec, the trust and the tokens', async () => {
  const { call } = await apiBench();
  const { json } = await call('GET', '/swarm');
  assert.equal(json.Spec.Name, 'default');
  assert.match(json.JoinTokens.Worker, /^SWMTKN-1-/);
  assert.match(json.TLSInfo.TrustRoot, /^-----BEGIN CERTIFICATE-----/);
  assert.ok(json.TLSInfo.CertIssuerPublicKey.length > 100);
  assert.equal(json.RootRotationInProgress, false);
});

test('while the root is rotated, both roots and the issuer that all are to have are shown', async () => {
  const { call } = await apiBench();
  const { json: before } = await call('GET', '/swarm');
  const CAConfig = { ...before.Spec.CAConfig, ForceRotate: 1 };
  const update = `/swarm/update?version=${before.Version.Index}`;
  assert.equal((await call('POST', update, { ...before.Spec, CAConfig })).status, 200);
  const { json: during } = await call('GET', '/swarm');
  assert.equal(during.RootRotationInProgress, true);
  assert.equal(during.Spec.CAConfig.ForceRotate, 1);
  const { TrustRoot, CertIssuerPublicKey } = during.TLSInfo;
  assert.ok(TrustRoot.startsWith(before.TLSInfo.TrustRoot));
  assert.equal(TrustRoot.match(/BEGIN CERTIFICATE/g).length, 2);
  assert.notEqual(CertIssuerPublicKey, before.TLSInfo.CertIssuerPublicKey);
  assert.doesNotMatch(JSON.stringify(during), /PRIVATE KEY/);
  assert.deepEqual(during.JoinTokens, before.JoinTokens);
});

test('updating needs the version, and rotates what it is asked to', async () => {
  const { call } = await apiBench();
  const { json: before } = await call('GET', '/swarm');
  const version = before.Version.Index;
  const stale = await call('POST', `/swarm/update?version=${version + 9}`, before.Spec);
  assert.equal(stale.status, 500);
  assert.equal(stale.json.message, 'rpc error: code = Unknown desc = update out of sequence');
  assert.equal((await call('POST', '/swarm/update', before.Spec)).status, 400);
  const spec = { ...before.Spec, Orchestration: { TaskHistoryRetentionLimit: 3 } };
  const query = `version=${version}&rotateWorkerToken=true`;
  assert.equal((await call('POST', `/swarm/update?${query}`, spec)).status, 200);
  const { json: after } = await call('GET', '/swarm');
  assert.equal(after.Spec.Orchestration.TaskHistoryRetentionLimit, 3);
  assert.notEqual(after.JoinTokens.Worker, before.JoinTokens.Worker);
  assert.equal(after.JoinTokens.Manager, before.JoinTokens.Manager);
});

test('the unlock key is shown to managers', async () => {
  const { call } = await apiBench();
  assert.deepEqual((await call('GET', '/swarm/unlockkey')).json, { UnlockKey: 'SWMKEY-1-xyz' });
});

test('unlocking answers clearly in every state', async () => {
  const { call, node } = await apiBench({ swarm: false });
  const unlock = async (key: string) => {
    const { status, json } = await call('POST', '/swarm/unlock', { UnlockKey: key });
    return [status, json?.message];
  };
  assert.deepEqual(await unlock('x'), [503, 'This node is not part of a swarm']);
  node.become({ localNodeState: 'locked', role: 'manager' }, undefined);
  assert.deepEqual(await unlock('SWMKEY-1-wrong'), [
    401,
    'swarm could not be unlocked: invalid key provided',
  ]);
  assert.deepEqual(await unlock('SWMKEY-1-right'), [200, undefined]);
  assert.deepEqual(await unlock('SWMKEY-1-right'), [409, 'swarm is not locked']);
});

test('leaving asks for force where something would be lost', async () => {
  const { call, node } = await apiBench();
  const refused = await call('POST', '/swarm/leave');
  assert.equal(refused.status, 503);
  assert.match(refused.json.message, /Removing the last manager erases all current state/);
  assert.equal((await call('POST', '/swarm/leave?force=1')).status, 200);
  assert.deepEqual(node.calls, [['leave', true]]);
  node.become({ role: 'worker' }, undefined);
  assert.equal((await call('POST', '/swarm/leave')).status, 200);
  node.become({ localNodeState: 'locked', role: 'manager' }, undefined);
  assert.match((await call('POST', '/swarm/leave')).json.message, /^Swarm is encrypted and locked/);
  node.become({ localNodeState: 'inactive', role: 'none' }, undefined);
  const outside = await call('POST', '/swarm/leave?force=1');
  assert.deepEqual(
    [outside.status, outside.json.message],
    [503, 'This node is not part of a swarm'],
  );
});

test('the warning counts the managers that stay', () => {
  const three = [member(1, 'a'), member(2, 'b'), member(3, 'c', false)];
  assert.match(leaveWarning(three), /Removing this node leaves 1 managers out of 3\./);
  const healthy = [1, 2, 3, 4, 5].map((id) => member(id, `${id}`));
  assert.doesNotMatch(leaveWarning(healthy), /Removing/);
  assert.match(leaveWarning(undefined), /Doing so may lose the consensus of your cluster/);
});

test('info tells of the swarm', async () => {
  const bench = await apiBench();
  await addNode(bench.control, 'n-joining', '', NodeRole.MANAGER);
  const { json } = await bench.call('GET', '/info');
  assert.equal(json.Swarm.NodeID, NODE_ID);
  assert.equal(json.Swarm.ControlAvailable, true);
  assert.equal(json.Swarm.Managers, 1, 'who has the role, but is no member, is no manager yet');
  assert.equal(json.Swarm.Nodes, 2);
  assert.equal(json.Swarm.Cluster.Spec.Name, 'default');
  assert.equal(json.Swarm.Cluster.JoinTokens, undefined);
  assert.equal(json.Swarm.Warnings, undefined);
  assert.deepEqual(json.Swarm.RemoteManagers, [{ NodeID: NODE_ID, Addr: '10.1.0.1:2377' }]);
});

test('info and version outside a swarm', async () => {
  const { call } = await apiBench({ swarm: false });
  const { json: info } = await call('GET', '/info');
  assert.equal(info.Swarm.LocalNodeState, 'inactive');
  assert.equal(info.Swarm.RemoteManagers, null);
  assert.equal(info.Name, 'host1');
  assert.equal(info.MemTotal, 8_000_000_000);
  const { json: version } = await call('GET', '/version');
  assert.equal(version.ApiVersion, '1.50');
  assert.equal(version.MinAPIVersion, '1.24');
  assert.equal(version.Components[0].Name, 'Engine');
  assert.equal(version.Arch, 'amd64');
});
