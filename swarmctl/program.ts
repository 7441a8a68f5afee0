import { type Command, CommanderError } from 'commander';
import { CliError } from './cli-error.ts';
import { ApiClient, DEFAULT_HOST } from './client.ts';
import { CliCommand, usageOf } from './command.ts';
import { addContainerCommands } from './commands/container.ts';
import { addImageCommands } from './commands/image.ts';
import { addInspectCommand } from './commands/inspect.ts';
import { addNetworkCommands } from './commands/network.ts';
import { addNodeCommands } from './commands/node.ts';
import { addSecretCommands } from './commands/secret.ts';
import { addServiceCommands } from './commands/service.ts';
import { addServiceLogs } from './commands/service-logs.ts';
import { addSwarmCommands } from './commands/swarm.ts';
import { addSystemCommands } from './commands/system.ts';
import { addVolumeCommands } from './commands/volume.ts';
import { type Context, describeError } from './context.ts';

/** As the docker CLI: 125 where a flag is wrong. */
const EXIT_BAD_FLAG = 125;
const BAD_FLAG = new Set([
  'commander.unknownOption',
  'commander.invalidArgument',
  'commander.optionMissingArgument',
  'commander.conflictingOption',
]);

export type ProgramInit = Omit<Context, 'api' | 'exit'>;

/** Runs one command line and resolves with its exit code. */
export async function runCommandLine(argv: readonly string[], init: ProgramInit): Promise<number> {
  const { host, rest } = takeHost(argv, init.env);
  try {
    const context: Context = { ...init, api: new ApiClient(host), exit: { code: 0 } };
    await createProgram(context).parseAsync(rest, { from: 'user' });
    return context.exit.code;
  } catch (error) {
    if (error instanceof CommanderError) {
      return BAD_FLAG.has(error.code) ? EXIT_BAD_FLAG : error.exitCode;
    }
    init.err.write(`${describeError(error)}\n`);
    return error instanceof CliError ? error.exitCode : 1;
  }
}

export function createProgram(context: Context): Command {
  const program = new CliCommand('swarmctl')
    .description('Make, look at and change a swarm, through the API of one of its nodes.')
    .option('-H, --host <address>', `the node's API (default: $SWARM_HOST or ${DEFAULT_HOST})`)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.out.write(text),
      writeErr: (text) => context.err.write(text),
    });
  addSwarmCommands(program, context);
  addNodeCommands(program, context);
  addNetworkCommands(program, context);
  addServiceLogs(addServiceCommands(program, context), context);
  addContainerCommands(program, context);
  addImageCommands(program, context);
  addVolumeCommands(program, context);
  addSecretCommands(program, context);
  addSystemCommands(program, context);
  addInspectCommand(program, context);
  inherit(program);
  groupHelp(program);
  return program;
}

/** The help lists commands by what they are about; first what this program is for. */
const HELP_GROUPS: Readonly<Record<string, string>> = {
  'The swarm:': 'init join join-token leave ca swarm node service network secret config',
  'Containers of this node:':
    'container run create start stop restart kill rm ps exec attach logs inspect cp port top stats ' +
    'pause unpause rename wait volume',
  'Images of this node:': 'image images pull rmi tag history load save import',
  'This node:': 'info version events system',
};

function groupHelp(program: Command): void {
  for (const [title, names] of Object.entries(HELP_GROUPS)) {
    for (const name of names.split(' ')) {
      program.commands.find((command) => command.name() === name)?.helpGroup(title);
    }
  }
}

/** Sub-commands made with `command()` take over settings at their creation; aliases of them do not. */
function inherit(command: Command): void {
  command.showHelpAfterError(usageOf(command));
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inherit(child);
  }
}

/** The host must be known before the commands are: `-H` is taken out first. */
function takeHost(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): { host: string; rest: string[] } {
  const [flag, value] = argv;
  if ((flag === '-H' || flag === '--host') && value) return { host: value, rest: argv.slice(2) };
  if (flag?.startsWith('--host=')) return { host: flag.slice(7), rest: argv.slice(1) };
  return { host: env['SWARM_HOST'] || DEFAULT_HOST, rest: [...argv] };
}
