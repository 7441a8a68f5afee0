import 'reflect-metadata';
import assert from 'node:assert/strict';
import { webcrypto } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { X509CertificateGenerator } from '@peculiar/x509';
import { systemClock } from '../../../common/clock.ts';
import { createApiServer, type ListenAddress } from '../../../swarmd/api/index.ts';
import { onEnd, tempDir } from '../../support/cleanup.ts';
import { deafServer } from '../../support/loopback.ts';
import { apiBench } from './bench.ts';
import { answered, serve } from './served.ts';

test('a socket that a killed daemon left is replaced, and is not for everybody', async (t) => {
  const directory = await tempDir(t);
  const path = join(directory, 'swarmd.sock');
  await writeFile(path, '');
  const { node } = await apiBench();
  const server = createApiServer(
    { node, clock: systemClock },
    { listen: [{ kind: 'unix', path }] },
  );
  await server.start();
  assert.equal(statSync(path).mode & 0o777, 0o660);
  await server.stop();
  assert.equal(existsSync(path), false);
});

test('where the API cannot listen it says why, and which option says where', async (t) => {
  const { node } = await apiBench();
  const start = (address: ListenAddress) => {
    const server = createApiServer({ node, clock: systemClock }, { listen: [address] });
    onEnd(t, () => server.stop());
    return server.start();
  };
  const busy = await deafServer(t);
  const [host = '', port] = busy.split(':');
  await assert.rejects(start({ kind: 'tcp', host, port: Number(port) }), {
    code: 'SWM_FAILED_PRECONDITION',
    message: `the API cannot listen on ${busy}: another process already listens there`,
    hint: 'Stop the other process, or choose another --host.',
  });
  const path = join(await tempDir(t), 'none', 'x.sock');
  await assert.rejects(start({ kind: 'unix', path }), {
    message: `the API cannot listen on ${path}: permission denied, or there is no such directory`,
  });
});

test('the socket of a daemon that runs is not taken from it', async (t) => {
  const { node, socketPath, request } = await serve(t);
  const second = createApiServer(
    { node, clock: systemClock },
    { listen: [{ kind: 'unix', path: socketPath }] },
  );
  onEnd(t, () => second.stop());
  await assert.rejects(second.start(), {
    message: `the API cannot listen on ${socketPath}: another process already listens there`,
  });
  const ping = request('GET', '/_ping');
  assert.equal((await answered(ping)).statusCode, 200);
});

test('stopping ends the open streams', async (t) => {
  const directory = await tempDir(t);
  const path = join(directory, 'swarmd.sock');
  const { node } = await apiBench();
  const server = createApiServer(
    { node, clock: systemClock },
    { listen: [{ kind: 'unix', path }] },
  );
  await server.start();
  const events = http.request({ socketPath: path, path: '/events' });
  events.end();
  const response = await answered(events);
  const closed = new Promise((resolve) => response.once('close', resolve));
  response.on('error', () => {});
  await server.stop();
  await closed;
});

test('requests of one connection follow each other', async (t) => {
  const bench = await serve(t);
  const client = await bench.raw(
    'POST /containers/nope/start HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}' +
      'GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
  );
  await client.ended;
  const text = client.received().toString();
  assert.match(text, /^HTTP\/1\.1 404[\s\S]*HTTP\/1\.1 200[\s\S]*OK$/);
});

test('over TCP, TLS asks for a certificate of its CA', async (t) => {
  const { cert, key } = await selfSigned();
  const { node } = await apiBench();
  const server = createApiServer(
    { node, clock: systemClock },
    { listen: [{ kind: 'tcp', host: '127.0.0.1', port: 0, tls: { cert, key, ca: cert } }] },
  );
  await server.start();
  onEnd(t, () => server.stop());
  const ping = (options: https.RequestOptions) => {
    const target = { host: '127.0.0.1', port: server.ports[0], path: '/_ping', ca: cert };
    const request = https.request({ ...target, checkServerIdentity: () => undefined, ...options });
    request.end();
    return answered(request);
  };
  assert.equal((await ping({ cert, key })).statusCode, 200);
  await assert.rejects(ping({}));
});

async function selfSigned(): Promise<{ cert: string; key: string }> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=localhost',
      notBefore: new Date(Date.now() - 60_000),
      notAfter: new Date(Date.now() + 3_600_000),
      keys,
      signingAlgorithm: algorithm,
    },
    webcrypto,
  );
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const body = der.toString('base64');
  return {
    cert: certificate.toString('pem'),
    key: `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`,
  };
}
