import type { Command } from 'commander';
import { filtersQuery } from '../client.ts';
import { type Context, print } from '../context.ts';
import { collect, toTimestamp } from '../options/parse.ts';
import { jsonLines } from '../output/json-lines.ts';
import { compile, render } from '../output/list.ts';

interface ApiEvent {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly time: number;
  readonly timeNano?: number;
}

interface EventFlags {
  filter: string[];
  format?: string;
  since?: string;
  until?: string;
}

export function addEvents(parent: Command, context: Context): void {
  parent
    .command('events')
    .description('Show what happens on this node and, from a manager, in the swarm')
    .option('-f, --filter <key=value>', 'type, event, container, service, node, …', collect, [])
    .option('--format <template>', 'Go template or "json"')
    .option('--since <time>', 'from this time, or so long ago (42m)')
    .option('--until <time>', 'up to this time, or so long ago')
    .action((flags: EventFlags) => events(context, flags));
}

async function events(context: Context, flags: EventFlags): Promise<void> {
  const now = Date.now();
  const show = printer(flags.format);
  const answer = await context.api.stream('GET', '/events', {
    query: {
      since: toTimestamp(flags.since, now),
      until: toTimestamp(flags.until, now),
      ...filtersQuery(flags.filter),
    },
  });
  for await (const event of jsonLines<ApiEvent>(answer)) print(context, show(event));
}

function printer(format: string | undefined): (event: ApiEvent) => string {
  if (!format) return describeEvent;
  if (format === 'json') return (event) => JSON.stringify(event);
  const template = compile(format);
  return (event) => render(template, event);
}

/** 2026-11-21T23:44:00.123456789Z container start 4f6a… (image=nginx, name=web) */
function describeEvent({ Type, Action, Actor, time, timeNano }: ApiEvent): string {
  const attributes = Object.entries(Actor.Attributes ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  const what = `${timeText(time, timeNano)} ${Type} ${Action} ${Actor.ID}`;
  return attributes.length > 0 ? `${what} (${attributes.join(', ')})` : what;
}

/** Nanoseconds since the epoch are more than a number holds: microseconds are what is left. */
function timeText(seconds: number, nanoseconds: number | undefined): string {
  const fraction = nanoseconds === undefined ? 0 : nanoseconds - seconds * 1e9;
  const micros = Math.min(Math.max(Math.round(fraction / 1e3), 0), 999_999);
  return new Date(seconds * 1_000)
    .toISOString()
    .replace(/\.000Z$/, `.${String(micros).padStart(6, '0')}000Z`);
}
