import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Interner, SharedParts } from '../../../manager/store/shared-parts.ts';
import { decodeTask, encodeTask } from '../../../manager/store/task-codec.ts';
import { Network, NetworkAttachment, Task } from '../../../proto/gen/swarm/objects.ts';

const text = fc.string({ maxLength: 8 });
const version = fc.record({ index: fc.nat() });
const labels = fc.dictionary(fc.string({ minLength: 1, maxLength: 4 }), text, { maxKeys: 3 });
const annotations = fc.record({ name: text, labels });
const spec = fc.record(
  {
    runtime: fc.record({
      $case: fc.constant('container' as const),
      container: fc.record({ image: text, env: fc.array(text, { maxLength: 3 }), labels }),
    }),
    placement: fc.record({ constraints: fc.array(text, { maxLength: 2 }) }),
    forceUpdate: fc.nat(),
  },
  { requiredKeys: [] },
);
const network = fc.record(
  { id: text, meta: fc.record({ version }), spec: fc.record({ annotations }) },
  { requiredKeys: [] },
);
const attachment = fc.record(
  { network, addresses: fc.array(text, { maxLength: 2 }), aliases: fc.array(text) },
  { requiredKeys: [] },
);
const task = fc
  .record(
    {
      id: text,
      meta: fc.record({ version, createdAt: fc.date({ noInvalidDate: true, min: new Date(0) }) }),
      spec,
      specVersion: version,
      serviceId: text,
      slot: fc.nat(),
      nodeId: text,
      annotations,
      serviceAnnotations: annotations,
      status: fc.record({ state: fc.constantFrom(0, 64, 512), message: text }),
      desiredState: fc.constantFrom(0, 512, 832),
      networks: fc.array(attachment, { maxLength: 3 }),
      endpoint: fc.record({ virtualIps: fc.array(fc.record({ networkId: text, addr: text })) }),
      jobIteration: version,
      rejections: fc.array(fc.record({ nodeId: text, filter: text })),
    },
    { requiredKeys: [] },
  )
  .map((fields) => Task.fromPartial(fields as Parameters<typeof Task.fromPartial>[0]));

test('any task is read as the generated code reads it, and written so that it can', () => {
  const shared = new SharedParts();
  fc.assert(
    fc.property(task, (any) => {
      const generated = Task.encode(any).finish();
      const expected = Task.decode(generated);
      assert.deepEqual(decodeTask(generated, shared), expected);
      const ours = encodeTask(any);
      assert.equal(ours.length, generated.length);
      assert.deepEqual(Task.decode(ours), expected);
      // And again, now that the parts of what was decoded are remembered as bytes.
      assert.deepEqual(Task.decode(encodeTask(decodeTask(ours, shared))), expected);
    }),
    { numRuns: 500 },
  );
});

test('tasks share what they have in common, and nothing else', () => {
  const shared = new SharedParts();
  const alike = (id: string, image = 'nginx', addresses = ['10.0.0.2/24']) =>
    Task.encode(
      Task.fromPartial({
        id,
        spec: { runtime: { $case: 'container', container: { image } } },
        serviceAnnotations: { name: 'web' },
        endpoint: { virtualIps: [{ networkId: 'n', addr: '10.0.0.1/24' }] },
        networks: [{ network: { id: 'n' }, addresses }],
      }),
    ).finish();
  const [a, b] = ['a', 'b'].map((id) => decodeTask(alike(id), shared)) as [Task, Task];
  assert.equal(a.spec, b.spec);
  assert.equal(a.serviceAnnotations, b.serviceAnnotations);
  assert.equal(a.endpoint, b.endpoint);
  assert.equal(a.networks[0]?.network, b.networks[0]?.network);
  assert.notEqual(a.networks[0], b.networks[0]);
  const c = decodeTask(alike('c', 'other', ['10.0.0.3/24']), shared);
  assert.notEqual(c.spec, a.spec);
  assert.deepEqual(c.networks[0]?.addresses, ['10.0.0.3/24']);
  const elsewhere = decodeTask(alike('a'), new SharedParts());
  assert.notEqual(elsewhere.spec, a.spec, 'stores do not share');
});

test('a network that its owner still has to fill in is written as it is at the time', () => {
  const own: { id: string; meta: { version: { index: number } } | undefined } = {
    id: 'n',
    meta: undefined,
  };
  const carrier = Task.fromPartial({
    id: 't',
    networks: [NetworkAttachment.fromPartial({ addresses: [] })],
  });
  const attached = {
    ...carrier,
    networks: [
      { ...(carrier.networks[0] as NetworkAttachment), network: own as unknown as Network },
    ],
  };
  Object.assign(own, Network.fromPartial({ id: 'n' }));
  assert.equal(Task.decode(encodeTask(attached)).networks[0]?.network?.meta, undefined);
  own.meta = { version: { index: 7 } };
  const version = Task.decode(encodeTask(attached)).networks[0]?.network?.meta?.version;
  assert.equal(version?.index, 7);
});

test('what is not asked for any more is forgotten', () => {
  let decoded = 0;
  const interner = new Interner((bytes) => {
    decoded++;
    return { first: bytes[0] };
  });
  const large = (n: number) => new Uint8Array(1024 * 1024).fill(n);
  const first = interner.get(large(0));
  for (let n = 1; n < 8; n++) {
    interner.get(large(n));
    assert.equal(interner.get(large(0)), first, 'asked for all the time');
  }
  assert.equal(decoded, 8);
  for (let n = 8; n < 20; n++) interner.get(large(n));
  assert.notEqual(interner.get(large(0)), first);
});
