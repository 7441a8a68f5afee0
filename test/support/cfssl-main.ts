import { text } from 'node:stream/consumers';
import { RootCa } from '../../manager/ca/root-ca.ts';
import { CfsslSigner } from './cfssl-signer.ts';

/**
 * A signer as a process of its own: `cfssl-main HOST PORT`, with its root, the key of that, and the
 * roots of its clients as JSON in the environment. It prints its URL, and ends with its standard input.
 */
const [host = '', port = ''] = process.argv.slice(2);
const { root, key, clients } = JSON.parse(process.env['SIGNER'] ?? '{}') as Record<string, string>;
const signer = await CfsslSigner.listen(new RootCa(root ?? '', key), {
  clientRootsPem: clients ?? '',
  host,
  port: Number(port),
});
process.stdout.write(`${signer.url}\n`);
await text(process.stdin);
signer.close();
