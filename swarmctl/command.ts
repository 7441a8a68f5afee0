import { Command, type Option } from 'commander';

/** Commander's command, with Docker's `--flag=true` and `--flag=false` for options without value. */
export class CliCommand extends Command {
  override createCommand(name?: string): CliCommand {
    return new CliCommand(name);
  }

  override parseOptions(argv: string[]): ReturnType<Command['parseOptions']> {
    return super.parseOptions(plainFlags(this.options, argv));
  }
}

/** What follows the first argument is left alone: it may belong to a container's command. */
function plainFlags(options: readonly Option[], argv: readonly string[]): string[] {
  const end = firstOperand(options, argv);
  const flags = argv.slice(0, end).flatMap((arg) => {
    const [, flag = '', value = ''] = /^(--[^=]+)=(true|false)$/.exec(arg) ?? [];
    const option = find(options, flag);
    if (!option?.isBoolean() || option.negate) return [arg];
    return value === 'true' ? [flag] : [];
  });
  return [...flags, ...argv.slice(end)];
}

function firstOperand(options: readonly Option[], argv: readonly string[]): number {
  let i = 0;
  while (i < argv.length) {
    const arg = argv[i] as string;
    if (arg === '--' || !arg.startsWith('-') || arg === '-') return i;
    i += takesNext(options, arg) ? 2 : 1;
  }
  return i;
}

/** `--name x`, `-n x`, and the last of a group of short options: `-itn x`. */
function takesNext(options: readonly Option[], arg: string): boolean {
  if (arg.startsWith('--')) return find(options, arg)?.required ?? false;
  for (let i = 1; i < arg.length; i += 1) {
    const option = find(options, `-${arg[i]}`);
    if (option?.required) return i === arg.length - 1;
  }
  return false;
}

function find(options: readonly Option[], flag: string): Option | undefined {
  return options.find(({ short, long }) => short === flag || long === flag);
}

/** How a command is used, for the end of its error messages. */
export function usageOf(command: Command): string {
  const names: string[] = [];
  for (let at: Command | null = command; at; at = at.parent) names.unshift(at.name());
  const path = names.join(' ');
  return `\nUsage:  ${path} ${command.usage()}\n\nRun '${path} --help' for more information`;
}
