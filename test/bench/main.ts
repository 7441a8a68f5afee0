/**
 * `npm run bench -- NAME… [-- ARGS]`: runs benches one after the other; without names, lists them.
 * Those with a lab need root. With DOCKER_SWARM_LAB=<script> they measure Docker Swarm beside ours.
 */
import { spawn } from 'node:child_process';
import { readdir } from 'node:fs/promises';

const HERE = new URL('.', import.meta.url).pathname;
const files = (await readdir(HERE)).filter((file) => file.endsWith('.ts') && file !== 'main.ts');
const known = files.map((file) => file.replace(/\.ts$/, '')).sort();

const split = process.argv.indexOf('--', 2);
const names = process.argv.slice(2, split < 0 ? undefined : split);
const args = split < 0 ? [] : process.argv.slice(split + 1);

const unknown = names.filter((name) => !known.includes(name));
if (names.length === 0 || unknown.length > 0) {
  if (unknown.length > 0) console.error(`there is no bench named ${unknown.join(', ')}`);
  console.log(`benches: ${known.join(' ')}`);
  process.exitCode = unknown.length > 0 ? 1 : 0;
} else {
  for (const name of names) await run(name);
}

async function run(name: string): Promise<void> {
  const child = spawn(process.execPath, ['--import', 'tsx', `${HERE}${name}.ts`, ...args], {
    stdio: 'inherit',
  });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) {
    console.error(`${name} failed`);
    process.exitCode = 1;
  }
}
