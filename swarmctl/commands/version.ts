import type { Command } from 'commander';
import { type Context, describeError, print } from '../context.ts';
import { compile, render } from '../output/list.ts';
import { VERSION } from '../version.ts';

const API_VERSION = '1.50';

interface ServerVersion {
  readonly Platform?: { readonly Name: string };
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion?: string;
  readonly GitCommit: string;
  readonly GoVersion: string;
  readonly Os: string;
  readonly Arch: string;
  readonly BuildTime?: string;
  readonly Components?: readonly Component[];
}

interface Component {
  readonly Name: string;
  readonly Version: string;
  readonly Details?: Readonly<Record<string, string>>;
}

export function addVersion(program: Command, context: Context): void {
  program
    .command('version')
    .description('Show the versions of client and server')
    .option('-f, --format <template>', 'Go template or "json"')
    .action((flags: { format?: string }) => version(context, flags.format));
}

/** The client's part is printed also when there is no server. */
async function version(context: Context, format: string | undefined): Promise<void> {
  const client = {
    Version: VERSION,
    ApiVersion: API_VERSION,
    NodeVersion: process.version,
    Os: process.platform,
    Arch: process.arch === 'x64' ? 'amd64' : process.arch,
  };
  let server: ServerVersion | null = null;
  let problem: unknown;
  try {
    server = await context.api.get<ServerVersion>('/version');
  } catch (error) {
    problem = error;
  }
  const both = { Client: client, Server: server };
  if (format === 'json') print(context, JSON.stringify(both));
  else if (format) print(context, render(compile(format), both));
  else print(context, [...clientLines(client), ...serverLines(server)].join('\n'));
  if (!problem) return;
  context.err.write(`${describeError(problem)}\n`);
  context.exit.code = 1;
}

function clientLines(client: Readonly<Record<string, string>>): string[] {
  return [
    'Client:',
    ` Version:           ${client['Version']}`,
    ` API version:       ${client['ApiVersion']}`,
    ` Node.js version:   ${client['NodeVersion']}`,
    ` OS/Arch:           ${client['Os']}/${client['Arch']}`,
  ];
}

function serverLines(server: ServerVersion | null): string[] {
  if (!server) return [];
  const components = (server.Components ?? []).filter(({ Name }) => Name !== 'Engine');
  return [
    '',
    `Server: ${server.Platform?.Name ?? ''}`.trimEnd(),
    ' Engine:',
    `  Version:          ${server.Version}`,
    `  API version:      ${server.ApiVersion} (minimum version ${server.MinAPIVersion ?? '?'})`,
    `  Runtime:          ${server.GoVersion}`,
    ...(server.GitCommit ? [`  Git commit:       ${server.GitCommit}`] : []),
    ...(server.BuildTime ? [`  Built:            ${server.BuildTime}`] : []),
    `  OS/Arch:          ${server.Os}/${server.Arch}`,
    ...components.flatMap(({ Name, Version, Details }) => [
      ` ${Name}:`,
      `  Version:          ${Version}`,
      ...(Details?.['GitCommit'] ? [`  GitCommit:        ${Details['GitCommit']}`] : []),
    ]),
  ];
}
