import { open, rm } from 'node:fs/promises';
import { CliError } from '../cli-error.ts';
import { ApiError } from '../client.ts';
import { type Context, describeError } from '../context.ts';
import { pullImage } from '../images/pull.ts';
import { familiarName, parseImage } from '../images/reference.ts';
import { progressTarget } from '../output/json-progress.ts';
import { createBody } from './create-body.ts';
import type { CreateFlags } from './flags.ts';

/** Docker's exit code for what went wrong before the container's own command ran. */
export const EXIT_NOT_RUN = 125;

export interface CreateRequest {
  readonly image: string;
  readonly command: readonly string[];
  readonly flags: CreateFlags;
  readonly attach: ReadonlySet<string>;
}

/** Creates a container, having pulled its image if need be, and returns its id. */
export async function createContainer(context: Context, request: CreateRequest): Promise<string> {
  const { flags, image } = request;
  const body = createBody({ ...request, env: context.env });
  const idFile = flags.cidfile === undefined ? undefined : await newFile(flags.cidfile);
  try {
    if (flags.pull === 'always') await pull(context, request);
    const create = () =>
      context.api.post<{ Id: string; Warnings?: readonly string[] | null }>('/containers/create', {
        query: { name: flags.name, platform: flags.platform },
        body,
      });
    const { Id, Warnings } = await create().catch(async (error) => {
      if (flags.pull !== 'missing' || !isMissingImage(error)) throw error;
      context.err.write(`Unable to find image '${familiarName(parseImage(image))}' locally\n`);
      await pull(context, request);
      return create();
    });
    for (const warning of Warnings ?? []) context.err.write(`WARNING: ${warning}\n`);
    await idFile?.write(Id);
    return Id;
  } catch (error) {
    await idFile?.discard();
    throw error;
  } finally {
    await idFile?.close();
  }
}

/** As a failure to run: the message, with an exit code that tells whose fault it is. */
export function notRun(error: unknown, code = EXIT_NOT_RUN): CliError {
  const exitCode = error instanceof CliError && error.exitCode !== 1 ? error.exitCode : code;
  return new CliError(`swarmctl: ${describeError(error)}`, exitCode);
}

/** Of a container that did not start: 127 and 126 as shells say it, else 125. */
export function startExitCode(error: unknown): number {
  const message = error instanceof Error ? error.message : '';
  if (/executable file not found|no such file or directory/.test(message)) return 127;
  return /permission denied|is a directory/.test(message) ? 126 : EXIT_NOT_RUN;
}

function pull(context: Context, { image, flags }: CreateRequest): Promise<void> {
  const progress = flags.quiet ? undefined : progressTarget(context, 'err');
  return pullImage(context, parseImage(image), { platform: flags.platform, progress });
}

function isMissingImage(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404 && /no such image/i.test(error.message);
}

async function newFile(path: string) {
  const file = await open(path, 'wx').catch((error: NodeJS.ErrnoException) => {
    const reason =
      error.code === 'EEXIST'
        ? 'container ID file found, make sure the other container is not running or delete'
        : `failed to create the container ID file: ${error.message}:`;
    throw new CliError(`${reason} ${path}`, EXIT_NOT_RUN);
  });
  return {
    write: (id: string) => file.writeFile(id),
    discard: () => rm(path, { force: true }),
    close: () => file.close(),
  };
}
