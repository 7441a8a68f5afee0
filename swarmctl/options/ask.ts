import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CliError } from '../cli-error.ts';
import type { Context } from '../context.ts';

/** A line of what the caller types, or of what comes through a pipe. */
export function ask(context: Context, question: string): Promise<string> {
  return readAnswer(context, question, context.out);
}

/** As `ask`, without showing what is typed. */
export async function askSecret(context: Context, question: string): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  context.out.write(question);
  const answer = await readAnswer(context, '', silent);
  context.out.write('\n');
  return answer;
}

async function readAnswer(
  context: Context,
  question: string,
  output: NodeJS.WritableStream,
): Promise<string> {
  const terminal = Boolean(context.input.isTTY);
  const lines = createInterface({ input: context.input, output, terminal });
  const closed = new Promise<never>((_resolve, reject) => {
    lines.once('close', () => reject(new CliError('there was no answer')));
  });
  try {
    return await Promise.race([lines.question(question), closed]);
  } finally {
    lines.close();
  }
}
