import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { RegistryAuth } from '../../../worker/engine/types.ts';
import { sha256 } from '../../../worker/runtime/image/content.ts';
import { parseReference } from '../../../worker/runtime/image/reference.ts';
import { Repository } from '../../../worker/runtime/image/registry.ts';
import { MediaType } from '../../../worker/runtime/image/types.ts';

const MANIFEST = JSON.stringify({ schemaVersion: 2, config: {}, layers: [] });
const BLOB = Buffer.from('0123456789');

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

describe('a repository at its registry', () => {
  let server: Server;
  let base: string;
  let handler: Handler;
  let seen: { url: string; authorization: string | undefined }[] = [];

  before(async () => {
    server = createServer((request, response) => {
      seen.push({ url: request.url ?? '', authorization: request.headers.authorization });
      handler(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    seen = [];
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const open = (auth?: RegistryAuth) =>
    new Repository(parseReference(`${base}/team/app`), { insecureRegistries: [], auth });

  const withToken =
    (check: (request: IncomingMessage) => boolean): Handler =>
    (request, response) => {
      const url = new URL(request.url ?? '', `http://${base}`);
      if (url.pathname === '/token') {
        if (!check(request)) return void response.writeHead(401).end();
        return void response.end(JSON.stringify({ token: `for ${url.searchParams.get('scope')}` }));
      }
      if (request.headers.authorization !== 'Bearer for repository:team/app:pull') {
        const challenge = `Bearer realm="http://${base}/token",service="test",scope="repository:team/app:pull"`;
        return void response.writeHead(401, { 'www-authenticate': challenge }).end();
      }
      response.setHeader('content-type', MediaType.ociManifest);
      response.end(MANIFEST);
    };

  it('is read with a token, gotten once for many requests', async () => {
    handler = withToken((request) => request.headers.authorization === undefined);
    const repository = open();
    const found = await Promise.all([1, 2, 3].map(() => repository.manifest('latest')));
    assert.equal(found[0]!.descriptor.digest, sha256(Buffer.from(MANIFEST)));
    assert.equal(found[0]!.descriptor.mediaType, MediaType.ociManifest);
    assert.equal(seen.filter(({ url }) => url.startsWith('/token')).length, 1);
    assert.match(seen.find(({ url }) => url.startsWith('/token'))!.url, /service=test/);
  });

  it('gets its token with name and password', async () => {
    const basic = `Basic ${Buffer.from('me:secret').toString('base64')}`;
    handler = withToken((request) => request.headers.authorization === basic);
    await open({ username: 'me', password: 'secret' }).manifest('latest');
    await assert.rejects(open({ username: 'me', password: 'wrong' }).manifest('latest'), {
      code: 'SWM_UNAUTHENTICATED',
      message: 'unauthorized: incorrect username or password',
    });
  });

  it('is read with basic authorization where the registry wants that', async () => {
    handler = (request, response) => {
      if (!request.headers.authorization) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      } else response.end(MANIFEST);
    };
    await open({ username: 'a', password: 'b' }).manifest('latest');
    await assert.rejects(open().manifest('latest'), /no basic auth credentials/);
  });

  it('tells a missing image from one that may not be seen', async () => {
    const fail = (status: number, code: string) => (): void => {
      handler = (_, response) => {
        response.writeHead(status).end(JSON.stringify({ errors: [{ code, message: 'why' }] }));
      };
    };
    fail(404, 'MANIFEST_UNKNOWN')();
    await assert.rejects(open().manifest('v1'), {
      code: 'SWM_NOT_FOUND',
      message: `manifest for ${base}/team/app:v1 not found: manifest unknown: why`,
    });
    const denied = {
      code: 'SWM_NOT_FOUND',
      message: `pull access denied for ${base}/team/app, repository does not exist or may require 'docker login'`,
    };
    fail(404, 'NAME_UNKNOWN')();
    await assert.rejects(open().manifest('v1'), denied);
    fail(403, 'DENIED')();
    await assert.rejects(open().manifest('v1'), denied);
    fail(500, 'UNKNOWN')();
    await assert.rejects(open().manifest('v1'), {
      code: 'SWM_UNAVAILABLE',
      message: /received unexpected HTTP status: 500 .*unknown: why/,
    });
  });

  it('is not believed when a manifest is not what its digest says', async () => {
    handler = (_, response) => void response.end(MANIFEST);
    await assert.rejects(
      open().manifest(`sha256:${'0'.repeat(64)}`),
      /manifest verification failed/,
    );
  });

  it('gives the rest of a blob, whether or not it knows ranges', async () => {
    const rest = async () => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of open().blob(sha256(BLOB), 4)) chunks.push(chunk);
      return Buffer.concat(chunks).toString();
    };
    handler = (request, response) => {
      assert.equal(request.headers.range, 'bytes=4-');
      response.writeHead(206).end(BLOB.subarray(4));
    };
    assert.equal(await rest(), '456789');
    handler = (_, response) => void response.end(BLOB);
    assert.equal(await rest(), '456789');
  });
});
