/**
 * Usage: http-load CLIENTS ADDRESS:PORT…  Clients that ask one address after the other, each time by
 * a new connection, until standard input ends. Prints a `LoadReport` as JSON.
 */
import { request } from 'node:http';
import type { Failure, LoadReport } from './load.ts';

const TIMEOUT_MS = 10_000;
const [clients, ...targets] = process.argv.slice(2);

let stopped = false;
let answered = 0;
const failures: Failure[] = [];
process.stdin.on('end', () => {
  stopped = true;
});
process.stdin.resume();

await Promise.all(Array.from({ length: Number(clients) }, (_, i) => client(i)));
console.log(JSON.stringify({ answered, failures } satisfies LoadReport));

async function client(first: number): Promise<void> {
  for (let i = first; !stopped; i++) {
    const target = targets[i % targets.length] as string;
    const begun = Date.now();
    try {
      await get(`http://${target}/`);
      answered++;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      failures.push({ target, reason: code ?? message, begun, ended: Date.now() });
    }
  }
}

/** Rejects unless a whole answer comes with status 200. */
function get(url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent: false, timeout: TIMEOUT_MS }, (response) => {
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`status ${response.statusCode}`));
      });
      response.resume();
    });
    call.on('timeout', () => call.destroy(new Error('timeout')));
    call.on('error', reject);
    call.end();
  });
}
