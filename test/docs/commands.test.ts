import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { Command } from 'commander';
import { ApiClient } from '../../swarmctl/client.ts';
import type { Context } from '../../swarmctl/context.ts';
import { createProgram } from '../../swarmctl/program.ts';
import { createDaemonCommand } from '../../swarmd/options.ts';
import { files, pages } from './pages.ts';

/** After the first operand of these comes the command that the container runs. */
const WITH_COMMAND = new Set(['run', 'create', 'exec']);
const programs: Readonly<Record<string, Command>> = {
  swarmctl: createProgram(context()),
  swarmd: createDaemonCommand(),
};
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
};

test('the checks below notice what is not there', () => {
  assert.equal(problemOf('swarmctl service crate web'), 'swarmctl service has no command crate');
  assert.equal(problemOf('swarmctl ca --rotat'), 'swarmctl ca has no option --rotat');
  assert.equal(problemOf('swarmd --state /x'), 'swarmd has no option --state');
  assert.equal(problemOf('npm run nothing'), 'package.json has no script nothing');
  assert.equal(problemOf('./cluster.sh explode manager'), 'cluster.sh has no verb explode');
  assert.equal(problemOf('swarmctl run -itz busybox'), 'swarmctl run has no option -z');
});

for (const { path, code, spans } of pages) {
  test(`${path}: commands that it names are there`, () => {
    assert.deepEqual(problemsIn([...code, ...spans]), []);
  });
}

test('commands that errors and hints name are there', () => {
  const product = /^(common|manager|netdriver|swarmctl|swarmd|worker)\/.*\.ts$/;
  const quoted = /["`]((?:swarmctl|swarmd) [^"`\\\n]*)["`\\]/g;
  const named = files
    .filter((path) => product.test(path))
    .flatMap((path) => Array.from(readFileSync(path, 'utf8').matchAll(quoted), ([, text]) => text));
  assert.ok(named.length > 10, 'there are some');
  assert.deepEqual(problemsIn(named as string[]), []);
});

test('files that scripts start are there', () => {
  const started = Object.values(manifest.scripts).flatMap((script) =>
    Array.from(script.matchAll(/(?:dist\/)?(test\/[\w/-]+)\.[jt]s\b/g), ([, path]) => `${path}.ts`),
  );
  assert.deepEqual(
    started.filter((path) => !existsSync(path)),
    [],
  );
});

/** What these lines use that does not exist: programs' commands and options, scripts, verbs. */
function problemsIn(lines: readonly string[]): string[] {
  // The arrows of a picture lead from swarmctl too.
  const commands = lines.filter((line) => !line.includes('-->'));
  return commands.flatMap((line) => {
    const uncommented = line.replace(/(^|\s)#.*/, '');
    return uncommented
      .split(/\||&&|;|\$\(|\)"/)
      .flatMap((command) => problemOf(command) ?? [])
      .map((problem) => `${problem}: ${line.trim()}`);
  });
}

function problemOf(text: string): string | undefined {
  const words = text
    .replace(/[.,:]$/, '')
    .trim()
    .split(/\s+/);
  const at = words.findIndex((word) => word === 'npm' || word === './cluster.sh' || programs[word]);
  const [name = '', ...rest] = words.slice(Math.max(at, 0));
  const program = programs[name];
  if (program) return problemWith(program, name, rest);
  const [verb = '', subject = ''] = rest;
  if (name === './cluster.sh' && verb !== '' && !isVerb(verb)) {
    return `cluster.sh has no verb ${verb}`;
  }
  if (name === './cluster.sh' && verb === 'exec') return problemOf(rest.slice(2).join(' '));
  if (name !== 'npm' || verb !== 'run' || manifest.scripts[subject]) return undefined;
  return `package.json has no script ${subject}`;
}

function isVerb(word: string): boolean {
  return new RegExp(`^ {2}${word}\\)`, 'm').test(readFileSync('cluster.sh', 'utf8'));
}

function problemWith(program: Command, name: string, words: readonly string[]): string | undefined {
  let [command, path, isOver] = [program, name, false];
  for (let i = 0; i < words.length && !isOver; i++) {
    const word = words[i] as string;
    if (/^-\w|^--\w/.test(word)) {
      const { missing, takesNext } = optionsIn(command, word);
      if (missing !== undefined) return `${path} has no option ${missing}`;
      if (takesNext) i++;
    } else if (command.commands.length > 0 && /^[a-z]/.test(word)) {
      const next = command.commands.find((sub) => [sub.name(), ...sub.aliases()].includes(word));
      if (!next) return `${path} has no command ${word}`;
      command = next;
      path += ` ${word}`;
    } else isOver = WITH_COMMAND.has(command.name());
  }
  return undefined;
}

/** `--name`, `--name=value`, `-n` or a group of those. */
function optionsIn(command: Command, word: string): { missing?: string; takesNext: boolean } {
  const [long = ''] = word.split('=');
  const flags = word.startsWith('--')
    ? [long]
    : Array.from(word.slice(1), (letter) => `-${letter}`);
  let takesNext = false;
  for (const flag of flags) {
    const option = allOptions(command).find((one) => one.long === flag || one.short === flag);
    if (!option && flag !== '--help') return { missing: flag, takesNext };
    takesNext = (option?.required ?? false) && !word.includes('=');
  }
  return { takesNext };
}

function allOptions(command: Command): Command['options'] {
  return [...command.options, ...(command.parent ? allOptions(command.parent) : [])];
}

function context(): Context {
  return {
    api: new ApiClient('unix:///nowhere'),
    input: new PassThrough(),
    out: new PassThrough(),
    err: new PassThrough(),
    isTerminal: false,
    env: {},
    signals: new EventEmitter(),
    exit: { code: 0 },
  };
}
