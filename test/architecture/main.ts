/**
 * `main.ts --check` (part of `npm run lint`): every dependency is allowed, and the pictures in
 * docs/architecture.md show the dependencies that there are. `main.ts --write` redraws them.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { format } from 'dependency-cruiser';
import { cruiseModules } from './cruise.ts';
import { redraw } from './picture.ts';

const DOCUMENT = 'docs/architecture.md';

const mode = process.argv[2];
if (mode !== '--check' && mode !== '--write') throw new Error('usage: main.ts --check | --write');

const result = await cruiseModules();
const document = await readFile(DOCUMENT, 'utf8');
const redrawn = redraw(document, result);

if (mode === '--write') {
  await writeFile(DOCUMENT, redrawn);
} else {
  const { output, exitCode } = await format(result, { outputType: 'err' });
  console.log(String(output).trim());
  if (document !== redrawn) {
    console.log(`${DOCUMENT} shows other dependencies than there are: npm run docs:architecture`);
  }
  process.exitCode = exitCode !== 0 || document !== redrawn ? 1 : 0;
}
