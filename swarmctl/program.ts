import { Command, CommanderError } from 'commander';
import { CliError } from './cli-error.ts';
import { ApiClient, DEFAULT_HOST } from './client.ts';
import { addNetworkCommands } from './commands/network.ts';
import { addNodeCommands } from './commands/node.ts';
import { addServiceCommands } from './commands/service.ts';
import { addSwarmCommands } from './commands/swarm.ts';
import { type Context, describeError } from './context.ts';

/** As the docker CLI: 125 where a flag is wrong. */
const EXIT_BAD_FLAG = 125;
const BAD_FLAG = new Set([
  'commander.unknownOption',
  'commander.invalidArgument',
  'commander.optionMissingArgument',
  'commander.conflictingOption',
]);

export interface ProgramInit {
  readonly env: NodeJS.ProcessEnv;
  readonly out: NodeJS.WritableStream;
  readonly err: NodeJS.WritableStream;
  readonly isTerminal: boolean;
}

/** Runs one command line and resolves with its exit code. */
export async function runCommandLine(argv: readonly string[], init: ProgramInit): Promise<number> {
  const { out, err, env, isTerminal } = init;
  const { host, rest } = takeHost(argv, env);
  try {
    const context: Context = { api: new ApiClient(host), out, err, isTerminal };
    await createProgram(context).parseAsync(rest, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) {
      return BAD_FLAG.has(error.code) ? EXIT_BAD_FLAG : error.exitCode;
    }
    err.write(`${describeError(error)}\n`);
    return error instanceof CliError ? error.exitCode : 1;
  }
}

export function createProgram(context: Context): Command {
  const program = new Command('swarmctl')
    .description('Make, look at and change a swarm, through the API of one of its nodes.')
    .option('-H, --host <address>', `the node's API (default: $SWARM_HOST or ${DEFAULT_HOST})`)
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.out.write(text),
      writeErr: (text) => context.err.write(text),
    })
    .showHelpAfterError('(--help shows how it is used)');
  addSwarmCommands(program, context);
  addNodeCommands(program, context);
  addNetworkCommands(program, context);
  addServiceCommands(program, context);
  inherit(program);
  return program;
}

/** Sub-commands made with `command()` take over settings at their creation; aliases of them do not. */
function inherit(command: Command): void {
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
