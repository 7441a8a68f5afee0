import { json } from 'node:stream/consumers';
import { CliError } from '../cli-error.ts';
import { type Context, describeError } from '../context.ts';
import { EXIT_NOT_RUN } from './create.ts';
import { containerPath } from './paths.ts';

interface WaitAnswer {
  readonly StatusCode: number;
  readonly Error?: { readonly Message: string } | null;
}

export interface Waiting {
  /** The exit code of the container's command. */
  readonly exitCode: Promise<number>;
  /** Stops waiting. */
  cancel(): void;
}

/** Resolves when the server waits, so that an end that follows cannot be missed. */
export async function startWaiting(
  context: Context,
  container: string,
  condition: 'not-running' | 'next-exit' | 'removed',
): Promise<Waiting> {
  const answer = await context.api.stream('POST', containerPath(container, 'wait'), {
    query: { condition },
  });
  const exitCode = readAnswer(json(answer) as Promise<WaitAnswer>);
  exitCode.catch(() => {}); // Whoever needs it will see the failure.
  return { exitCode, cancel: () => answer.destroy() };
}

async function readAnswer(answer: Promise<WaitAnswer>): Promise<number> {
  const { StatusCode, Error: failure } = await answer.catch((error) => {
    throw new CliError(`error waiting for container: ${describeError(error)}`, EXIT_NOT_RUN);
  });
  if (failure?.Message) throw new CliError(failure.Message, EXIT_NOT_RUN);
  return StatusCode;
}
