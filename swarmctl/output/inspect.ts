import { ApiError } from '../client.ts';
import { type Context, describeError, print } from '../context.ts';
import { compile, render } from './list.ts';

/**
 * Fetches each name and prints the objects: a JSON array, one JSON per line (`json`), or a template
 * per object. What is found is printed also when something else is missing.
 */
export async function inspectAll(
  context: Context,
  names: readonly string[],
  format: string | undefined,
  fetch: (name: string) => Promise<unknown>,
  missing: (name: string) => string,
): Promise<void> {
  const found: unknown[] = [];
  const problems: string[] = [];
  for (const name of names) {
    try {
      found.push(await fetch(name));
    } catch (error) {
      const gone = error instanceof ApiError && error.status === 404;
      problems.push(gone ? missing(name) : describeError(error));
    }
  }
  printObjects(context, found, format);
  for (const problem of problems) context.err.write(`${problem}\n`);
  if (problems.length > 0) context.exit.code = 1;
}

function printObjects(context: Context, objects: readonly unknown[], format?: string): void {
  if (!format) {
    print(context, JSON.stringify(objects, null, 4));
  } else if (format === 'json') {
    for (const object of objects) print(context, JSON.stringify(object));
  } else {
    const template = compile(format);
    for (const object of objects) print(context, render(template, object));
  }
}
