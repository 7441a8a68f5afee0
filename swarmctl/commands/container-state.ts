import type { Command } from 'commander';
import { ApiError } from '../client.ts';
import { containerPath } from '../container/paths.ts';
import { type Context, describeError, forEachName, print } from '../context.ts';
import { parseInteger } from '../options/parse.ts';

interface StopFlags {
  signal?: string;
  timeout?: number;
  time?: number;
}

interface RemoveFlags {
  force?: boolean;
  link?: boolean;
  volumes?: boolean;
}

/** Commands that change what a container does, and answer with its name. */
export function addStateCommands(parent: Command, context: Context): void {
  for (const [name, text] of [
    ['stop', 'Stop running containers'],
    ['restart', 'Stop and start containers'],
  ] as const) {
    parent
      .command(name)
      .description(text)
      .argument('<container...>')
      .option('-s, --signal <signal>', "instead of the container's stop signal")
      .option('-t, --timeout <seconds>', 'wait before SIGKILL, -1 is for ever', parseInteger)
      .option('--time <seconds>', 'older name of --timeout', parseInteger)
      .action((names: string[], { signal, timeout, time }: StopFlags) =>
        post(context, names, name, { signal, t: timeout ?? time }),
      );
  }
  parent
    .command('kill')
    .description('Send a signal to running containers')
    .argument('<container...>')
    .option('-s, --signal <signal>', 'which (default: SIGKILL)')
    .action((names: string[], { signal }) => post(context, names, 'kill', { signal }));
  for (const [name, text] of [
    ['pause', 'Freeze all processes of containers'],
    ['unpause', 'Let the processes of containers go on'],
  ] as const) {
    parent
      .command(name)
      .description(text)
      .argument('<container...>')
      .action((names: string[]) => post(context, names, name, {}));
  }
  addRemove(parent, context);
  addRename(parent, context);
  addWait(parent, context);
}

function post(
  context: Context,
  names: readonly string[],
  action: string,
  query: Record<string, string | number | undefined>,
): Promise<void> {
  return forEachName(context, names, async (name) => {
    await context.api.post(containerPath(name, action), { query });
    print(context, name);
  });
}

function addRemove(parent: Command, context: Context): void {
  parent
    .command('rm')
    .alias('remove')
    .description('Remove containers')
    .argument('<container...>')
    .option('-f, --force', 'also when it runs (SIGKILL)')
    .option('-l, --link', 'only the link of this name')
    .option('-v, --volumes', 'its anonymous volumes too')
    .action((names: string[], flags: RemoveFlags) =>
      forEachName(context, names, (name) => remove(context, name, flags)),
    );
}

async function remove(context: Context, name: string, flags: RemoveFlags): Promise<void> {
  const query = {
    force: flags.force ? 1 : undefined,
    link: flags.link ? 1 : undefined,
    v: flags.volumes ? 1 : undefined,
  };
  try {
    await context.api.delete(containerPath(name), query);
    print(context, name);
  } catch (error) {
    // With force the container is to be gone, and it is.
    if (!(flags.force && error instanceof ApiError && error.status === 404)) throw error;
    context.err.write(`${describeError(error)}\n`);
  }
}

function addRename(parent: Command, context: Context): void {
  parent
    .command('rename')
    .description('Give a container another name')
    .argument('<container>')
    .argument('<new-name>')
    .action(async (container: string, name: string) => {
      await context.api.post(containerPath(container, 'rename'), { query: { name } });
    });
}

function addWait(parent: Command, context: Context): void {
  parent
    .command('wait')
    .description('Wait until containers have ended, and print their exit codes')
    .argument('<container...>')
    .action((names: string[]) =>
      forEachName(context, names, async (name) => {
        const { StatusCode, Error: failure } = await context.api.post<{
          StatusCode: number;
          Error?: { Message: string } | null;
        }>(containerPath(name, 'wait'));
        if (failure?.Message) throw new ApiError(500, failure.Message);
        print(context, String(StatusCode));
      }),
    );
}
