import { spawn } from 'node:child_process';
import { KernelError } from './types.ts';

/** Bytes of error text that are kept; nft repeats whole scripts. */
const ERROR_TEXT_LIMIT = 2000;

/**
 * Runs a program inside a namespace and resolves with what it prints. nsenter(1) only changes the
 * network namespace; `ip netns exec` would also mount a new /sys and hide the cgroups.
 */
export function runInside(
  netnsPath: string,
  command: readonly string[],
  input = '',
  acceptedExits: readonly number[] = [],
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('nsenter', [`--net=${netnsPath}`, '--', ...command], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (errors.length < ERROR_TEXT_LIMIT) errors += text;
    });
    child.on('error', (error: NodeJS.ErrnoException) =>
      reject(new KernelError(error.code ?? 'EIO', `cannot run ${command[0]}: ${error.message}`)),
    );
    child.on('close', (code, signal) => {
      if (code === 0 || (code !== null && acceptedExits.includes(code))) return resolve(output);
      const end = signal ? `was killed by ${signal}` : `ended with ${code}`;
      const words = errors.trim().slice(0, ERROR_TEXT_LIMIT);
      reject(new KernelError('EIO', `${command.join(' ')} ${end}: ${words}`));
    });
    // A program that ends before it has read everything says why on stderr.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
  });
}
