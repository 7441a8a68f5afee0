import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import fc from 'fast-check';
import { gossipPrivateKey } from '../../../netdriver/gossip/peer-id.ts';

test('the key of a seed is that of libp2p', async () => {
  const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
  await fc.assert(
    fc.asyncProperty(seed, async (bytes) => {
      const expected = await generateKeyPairFromSeed('Ed25519', bytes);
      const key = gossipPrivateKey(bytes);
      assert.ok(key.equals(expected));
      assert.ok(key.publicKey.equals(expected.publicKey));
    }),
    { numRuns: 20 },
  );
});

test('what is no seed is refused', () => {
  assert.throws(() => gossipPrivateKey(new Uint8Array(31)));
});
