/**
 * How strictly outputs are compared. `strict` compares everything; `structural` leaves out the log lines
 * of the nodes, whose wording says nothing about what the nodes do.
 */

const LOG_LINE = /^\s*(DEBUG|INFO|WARN|ERROR|FATAL) /;

/** What there is to see of an output without log lines; `ok` if that is nothing. */
export function withoutLogLines(output: string): string {
  const kept = output.split('\n').filter((line) => !LOG_LINE.test(line));
  const text = kept.join('\n');
  return text.trim() === '' ? 'ok\n' : text;
}

/** Every output ends with a newline. */
export function terminated(output: string): string {
  return output.endsWith('\n') ? output : `${output}\n`;
}
