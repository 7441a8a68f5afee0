import { CliError } from '../cli-error.ts';

/** The JSON values of a stream that has one in each line. */
export async function* jsonLines<T>(source: AsyncIterable<Buffer>): AsyncGenerator<T> {
  const decoder = new TextDecoder();
  let pending = '';
  for await (const chunk of source) {
    const lines = (pending + decoder.decode(chunk, { stream: true })).split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield parse<T>(line);
  }
  if (pending.trim() !== '') yield parse<T>(pending);
}

function parse<T>(line: string): T {
  try {
    return JSON.parse(line) as T;
  } catch {
    throw new CliError(`the daemon sent something that is no JSON: ${line.slice(0, 200)}`);
  }
}
