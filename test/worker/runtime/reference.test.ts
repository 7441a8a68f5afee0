import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  canonicalName,
  familiarReference,
  parseReference,
} from '../../../worker/runtime/image/reference.ts';
import { registryBase } from '../../../worker/runtime/image/registry-host.ts';

const HEX = 'ab'.repeat(32);

describe('image references', () => {
  const names: [string, string, string][] = [
    ['busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
    ['user/app', 'docker.io/user/app:latest', 'user/app:latest'],
    ['docker.io/user/app', 'docker.io/user/app:latest', 'user/app:latest'],
    ['index.docker.io/library/x', 'docker.io/library/x:latest', 'x:latest'],
    ['localhost/x', 'localhost/x:latest', 'localhost/x:latest'],
    ['host:5000/a/b:v1', 'host:5000/a/b:v1', 'host:5000/a/b:v1'],
    ['127.0.0.1:5000/x', '127.0.0.1:5000/x:latest', '127.0.0.1:5000/x:latest'],
    ['[::1]:5000/x', '[::1]:5000/x:latest', '[::1]:5000/x:latest'],
    [`x@sha256:${HEX}`, `docker.io/library/x@sha256:${HEX}`, `x@sha256:${HEX}`],
    [`x:tag@sha256:${HEX}`, `docker.io/library/x@sha256:${HEX}`, `x@sha256:${HEX}`],
    ['a__b/c-d.e', 'docker.io/a__b/c-d.e:latest', 'a__b/c-d.e:latest'],
  ];
  for (const [text, canonical, familiar] of names) {
    it(`reads ${text}`, () => {
      assert.equal(canonicalName(parseReference(text)), canonical);
      assert.equal(familiarReference(parseReference(text)), familiar);
    });
  }

  for (const text of ['', 'UPPER', 'a//b', 'a:', 'a@sha256:12', '-a', 'a..b', HEX, 'x:~', 'a/b/']) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseReference(text), { code: 'SWM_INVALID_ARGUMENT' });
    });
  }

  it('says which part must be lower case', () => {
    assert.throws(
      () => parseReference('host.io/Foo'),
      /invalid reference format: repository name \(Foo\) must be lowercase/,
    );
  });

  it('reads back what it prints', () => {
    const word = fc.stringMatching(/^[a-z0-9]{1,8}([._-][a-z0-9]{1,4})?$/);
    const path = fc.array(word, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
    fc.assert(
      fc.property(path, fc.stringMatching(/^\w[\w.-]{0,10}$/), (name, tag) => {
        const once = canonicalName(parseReference(`${name}:${tag}`));
        assert.equal(canonicalName(parseReference(once)), once);
        const familiar = familiarReference(parseReference(once));
        assert.equal(canonicalName(parseReference(familiar)), once);
      }),
    );
  });
});

describe('the address of a registry', () => {
  const insecureRegistries = ['lab.example:5000', '192.168.77.0/24'];
  const bases: [string, string][] = [
    ['docker.io', 'https://registry-1.docker.io'],
    ['quay.io', 'https://quay.io'],
    ['localhost:5000', 'http://localhost:5000'],
    ['127.3.2.1:80', 'http://127.3.2.1:80'],
    ['[::1]:5000', 'http://[::1]:5000'],
    ['lab.example:5000', 'http://lab.example:5000'],
    ['lab.example:5001', 'https://lab.example:5001'],
    ['192.168.77.9:5000', 'http://192.168.77.9:5000'],
    ['192.168.78.9:5000', 'https://192.168.78.9:5000'],
  ];
  for (const [domain, base] of bases) {
    it(`is ${base} for ${domain}`, () => {
      assert.equal(registryBase(domain, { insecureRegistries }), base);
    });
  }
});
