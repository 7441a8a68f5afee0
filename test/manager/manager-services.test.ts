import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import { SwarmError } from '../../common/errors.ts';
import {
  addManagerServices,
  type ManagerServicesComponents,
} from '../../manager/manager-services.ts';
import type { GetRootCACertificateResponse } from '../../proto/gen/swarm/ca.ts';
import { Cluster } from '../../proto/gen/swarm/objects.ts';
import { localStore } from '../support/local-store.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const ID = 'cluster';

/** A manager that lags behind the leader, whose cluster has another root by now. */
async function laggingManager(readIndex: (catchUp: () => Promise<void>) => Promise<void>) {
  const clock = new VirtualClock();
  const { store } = localStore(clock);
  const withRoot = (root: string) =>
    Cluster.fromPartial({ id: ID, rootCa: { caCert: Buffer.from(root) } });
  await store.update((tx) => tx.create('cluster', withRoot('the old root')));
  const catchUp = () =>
    store.update((tx) => {
      const { meta } = tx.get('cluster', ID)!;
      tx.update('cluster', { ...withRoot('the new root'), meta });
    });
  type Answer = (error: Error | null, response: GetRootCACertificateResponse) => void;
  let ask: (call: object, answer: Answer) => void = () => {};
  addManagerServices({
    clock,
    store,
    consensus: () => ({
      readIndex: (signal: AbortSignal) => orAborted(readIndex(catchUp), signal),
    }),
    securityConfig: { identity: { clusterId: ID }, rootCaPem: 'of its own certificate' },
    server: {
      add(_: object, service: { getRootCaCertificate?: typeof ask }) {
        ask = service.getRootCaCertificate ?? ask;
      },
    },
  } as unknown as ManagerServicesComponents);
  const told = new Promise<string>((resolve, reject) => {
    ask({ metadata: new Metadata(), on: () => {} }, (error, response) =>
      error ? reject(error) : resolve(response.certificate.toString()),
    );
  });
  return { clock, told };
}

function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    work.then(resolve, reject);
  });
}

// With the old one, the token that a user was just shown would be refused.
describe('the root that a manager tells those who want to join', () => {
  it('is that of now, also where the news has not come yet', async () => {
    const { told } = await laggingManager((catchUp) => catchUp());
    assert.equal(await told, 'the new root');
  });

  it('is the last one that it knows, when there is no leader', async () => {
    const { told } = await laggingManager(async () => {
      throw new SwarmError('SWM_NO_LEADER', 'there is none');
    });
    assert.equal(await told, 'the old root');
  });

  it('is not waited for much longer than a leader takes to answer', async () => {
    const { told, clock } = await laggingManager(() => new Promise(() => {}));
    await clock.advance(1_000);
    assert.equal(await told, 'the old root');
  });
});
