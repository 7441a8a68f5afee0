import { Template, TemplateError } from '../../common/go-template/index.ts';
import { CliError } from '../cli-error.ts';
import { type Context, print } from '../context.ts';
import { renderTable } from './table.ts';

/** One thing that a list can show of its rows; `key` is its name in templates and JSON. */
export interface Column<T> {
  readonly key: string;
  readonly header: string;
  readonly value: (row: T) => string;
  /** What the plain table shows instead of `value`. */
  readonly cell?: (row: T) => string;
  /** Only in templates and JSON, not in the plain table. */
  readonly hidden?: boolean;
}

export interface ListOptions {
  readonly format?: string;
  readonly quiet?: boolean;
}

const TABLE_PREFIX = /^table\s+/;

/** Prints rows as a table, as ids only, as JSON lines, or by a template, as Docker's lists do. */
export function printList<T>(
  context: Context,
  rows: readonly T[],
  columns: readonly Column<T>[],
  options: ListOptions,
  id: (row: T) => string,
): void {
  const { format } = options;
  if (options.quiet && !format) {
    for (const row of rows) print(context, id(row));
  } else if (!format || format === 'table') {
    const shown = columns.filter((column) => !column.hidden);
    const cells = rows.map((row) => shown.map(({ cell, value }) => (cell ?? value)(row)));
    print(
      context,
      renderTable(
        shown.map((column) => column.header),
        cells,
      ),
    );
  } else if (format === 'json') {
    for (const row of rows) print(context, JSON.stringify(record(row, columns)));
  } else if (TABLE_PREFIX.test(format)) {
    printTemplateTable(context, rows, columns, format.replace(TABLE_PREFIX, ''));
  } else {
    const template = compile(format);
    for (const row of rows) print(context, render(template, record(row, columns)));
  }
}

/** Text of `--format`, with the escapes that shells leave alone. */
export function compile(format: string): Template {
  try {
    return new Template(format.replace(/\\t/g, '\t').replace(/\\n/g, '\n'));
  } catch (error) {
    throw templateError(error);
  }
}

export function render(template: Template, data: unknown): string {
  try {
    return template.render(data);
  } catch (error) {
    throw templateError(error);
  }
}

function printTemplateTable<T>(
  context: Context,
  rows: readonly T[],
  columns: readonly Column<T>[],
  format: string,
): void {
  const template = compile(format);
  const headers = Object.fromEntries(columns.map((column) => [column.key, column.header]));
  const cells = rows.map((row) => render(template, record(row, columns)).split('\t'));
  print(context, renderTable(render(template, headers).split('\t'), cells));
}

function record<T>(row: T, columns: readonly Column<T>[]): Record<string, string> {
  const sorted = [...columns].sort((a, b) => (a.key < b.key ? -1 : 1));
  return Object.fromEntries(sorted.map((column) => [column.key, column.value(row)]));
}

function templateError(error: unknown): unknown {
  if (!(error instanceof TemplateError)) return error;
  return new CliError(`template parsing error: ${error.message}`);
}
