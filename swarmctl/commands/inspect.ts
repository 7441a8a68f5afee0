import { type Command, Option } from 'commander';
import { ApiError } from '../client.ts';
import { containerPath } from '../container/paths.ts';
import type { Context } from '../context.ts';
import { inspectAll } from '../output/inspect.ts';
import type { Info } from './api-types.ts';
import { imagePath } from './image.ts';

interface InspectFlags {
  format?: string;
  size?: boolean;
  type?: string;
}

interface Kind {
  readonly name: string;
  readonly path: (name: string) => string;
  /** Only managers know these. */
  readonly swarm?: boolean;
}

const named = (collection: string) => (name: string) =>
  `/${collection}/${encodeURIComponent(name)}`;

/** In the order in which a name is looked for. */
const KINDS: readonly Kind[] = [
  { name: 'container', path: (name) => containerPath(name, 'json') },
  { name: 'image', path: (name) => imagePath(name, 'json') },
  { name: 'network', path: named('networks') },
  { name: 'volume', path: named('volumes') },
  { name: 'service', path: named('services'), swarm: true },
  { name: 'task', path: named('tasks'), swarm: true },
  { name: 'node', path: named('nodes'), swarm: true },
  { name: 'secret', path: named('secrets'), swarm: true },
  { name: 'config', path: named('configs'), swarm: true },
];

export function addInspectCommand(program: Command, context: Context): void {
  program
    .command('inspect')
    .description('Show anything in detail: containers, images, networks, services, nodes, …')
    .argument('<name...>')
    .option('-f, --format <template>', 'Go template or "json"')
    .option('-s, --size', 'of containers: with the size of their files')
    .addOption(new Option('--type <type>', 'only this kind').choices(KINDS.map(({ name }) => name)))
    .action((names: string[], flags: InspectFlags) => {
      const noun = flags.type ?? 'object';
      return inspectAll(
        context,
        names,
        flags.format,
        (name) => find(context, name, flags),
        (name) => `Error: No such ${noun}: ${name}`,
      );
    });
}

/** The first kind that has something of this name. Throws ApiError 404 when none has. */
async function find(context: Context, name: string, flags: InspectFlags): Promise<unknown> {
  const query = flags.size ? { size: 1 } : {};
  const wanted = KINDS.filter((kind) => !flags.type || kind.name === flags.type);
  let manages: boolean | undefined;
  for (const kind of wanted) {
    if (kind.swarm && !flags.type) {
      manages ??= (await context.api.get<Info>('/info')).Swarm.ControlAvailable;
      if (!manages) continue;
    }
    try {
      return await context.api.get(kind.path(name), kind.name === 'container' ? query : {});
    } catch (error) {
      if (!notThisKind(error)) throw error;
    }
  }
  throw new ApiError(404, `No such object: ${name}`);
}

/** A name that one kind of object cannot have may be that of another. */
function notThisKind(error: unknown): boolean {
  return (
    error instanceof ApiError &&
    (error.status === 404 || (error.status === 400 && /invalid reference/.test(error.message)))
  );
}
