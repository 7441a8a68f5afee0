/**
 * Data-driven test files (the grammar of cockroachdb/datadriven):
 *
 *     # comment
 *     directive positional key=value key=(a, b)
 *     input lines
 *     ----
 *     expected output, up to a blank line
 *
 * A directive line that ends in a backslash goes on in the next. Output that contains blank lines stands
 * between two pairs of `----` lines. A blank line may contain white space. Lists are separated by commas,
 * white space, or both. `subtest NAME` and `subtest end` have no output.
 */

export interface Argument {
  readonly key: string;
  /** Empty for a positional argument. */
  readonly values: readonly string[];
}

export interface Command {
  readonly name: string;
  readonly args: readonly Argument[];
  readonly input: string;
  readonly expected: string;
  /** Line number of the directive, from 1. */
  readonly line: number;
  /** The lines of the file that hold the expected output, as [from, to) from 0. */
  readonly output: readonly [number, number];
}

const SEPARATOR = '----';

/** Has it anything in it that could be a command? */
export function isDataFile(text: string): boolean {
  return linesOf(text).includes(SEPARATOR);
}

/** Throws with the line number if the file is not of this grammar. */
export function parseDataFile(text: string): Command[] {
  const lines = linesOf(text);
  const commands: Command[] = [];
  for (let at = 0; at < lines.length; ) {
    if (isSkipped(lines[at]!)) {
      at++;
      continue;
    }
    const command = parseCommand(lines, at);
    commands.push(command);
    at = command.output[1];
  }
  return commands;
}

/** A file may have come over a system that ends its lines in `\r\n`. */
function linesOf(text: string): string[] {
  return text.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
}

function isBlank(line: string): boolean {
  return line.trim() === '';
}

function isSkipped(line: string): boolean {
  return isBlank(line) || /^\s*(#|subtest\s)/.test(line);
}

function parseCommand(lines: readonly string[], start: number): Command {
  let at = start;
  let directive = lines[at++]!.trim();
  while (directive.endsWith('\\')) {
    directive = `${directive.slice(0, -1).trimEnd()} ${(lines[at++] ?? '').trim()}`;
  }
  const input: string[] = [];
  while (at < lines.length && lines[at] !== SEPARATOR) input.push(lines[at++]!);
  if (at >= lines.length)
    throw new Error(`line ${start + 1}: no "${SEPARATOR}" after the directive`);
  at++;
  const { expected, end } = parseOutput(lines, at);
  const { name, args } = parseDirective(directive);
  const text = input.join('\n').trim();
  return { name, args, input: text, expected, line: start + 1, output: [at, end] };
}

function parseOutput(lines: readonly string[], start: number): { expected: string; end: number } {
  const hasBlanks = lines[start] === SEPARATOR;
  const isEnd = (at: number) =>
    hasBlanks ? lines[at] === SEPARATOR && lines[at + 1] === SEPARATOR : isBlank(lines[at]!);
  let end = hasBlanks ? start + 1 : start;
  const from = end;
  while (end < lines.length && !isEnd(end)) end++;
  if (hasBlanks && end >= lines.length) {
    throw new Error(`line ${start + 1}: the output is not closed by two lines "${SEPARATOR}"`);
  }
  const expected = lines
    .slice(from, end)
    .map((line) => `${line}\n`)
    .join('');
  return { expected, end: hasBlanks ? end + 2 : end };
}

export function parseDirective(text: string): { name: string; args: Argument[] } {
  const words = text.match(/[^\s=]+(?:=\([^)]*\)|=\S*)?/g) ?? [];
  const [name = '', ...rest] = words;
  return { name, args: rest.map(parseArgument) };
}

function parseArgument(word: string): Argument {
  const at = word.indexOf('=');
  if (at < 0) return { key: word, values: [] };
  const value = word.slice(at + 1);
  const values = value.startsWith('(')
    ? value
        .slice(1, -1)
        .split(/[,\s]+/)
        .filter((each) => each !== '')
    : [value];
  return { key: word.slice(0, at), values };
}

/** The file with the expected outputs replaced by these, in the order of the commands. */
export function rewriteDataFile(
  text: string,
  commands: readonly Command[],
  outputs: readonly string[],
): string {
  const lines = linesOf(text);
  const parts: string[] = [];
  let at = 0;
  commands.forEach(({ output: [from, to] }, i) => {
    parts.push(...lines.slice(at, from), ...outputLines(outputs[i]!));
    at = to;
  });
  return [...parts, ...lines.slice(at)].join('\n');
}

function outputLines(output: string): string[] {
  const lines = output.replace(/\n$/, '').split('\n');
  if (!lines.includes('')) return lines;
  return [SEPARATOR, ...lines, SEPARATOR, SEPARATOR];
}
