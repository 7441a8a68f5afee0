import { builtins, formatValue, isTrue } from './functions.ts';
import { TemplateError } from './lexer.ts';
import { type Call, type Node, type Operand, type Pipeline, parseTemplate } from './parser.ts';

export { TemplateError } from './lexer.ts';

export type TemplateFunction = (...args: unknown[]) => unknown;

export interface TemplateInit {
  readonly functions?: Readonly<Record<string, TemplateFunction>>;
  /** What a field that does not exist is: an error (the default), or Go's `<no value>`. */
  readonly missing?: 'error' | 'no value';
}

const NO_VALUE = '<no value>';

/**
 * Go's text/template, as far as format strings and service specs use it: fields, variables,
 * literals, functions, pipes, parentheses, `if`, `range`, `with`, comments and trim markers.
 */
export class Template {
  readonly #nodes: readonly Node[];
  readonly #functions: Readonly<Record<string, TemplateFunction>>;
  readonly #missing: 'error' | 'no value';

  /** Throws TemplateError when `source` is no template. */
  constructor(source: string, init: TemplateInit = {}) {
    this.#nodes = parseTemplate(source);
    this.#functions = { ...builtins, ...init.functions };
    this.#missing = init.missing ?? 'error';
  }

  /** Throws TemplateError when a field or function does not exist. */
  render(data: unknown): string {
    return this.#list(this.#nodes, { dot: data, variables: new Map([['$', data]]) });
  }

  #list(nodes: readonly Node[], scope: Scope): string {
    const inner: Scope = { dot: scope.dot, variables: new Map(scope.variables) };
    return nodes.map((node) => this.#node(node, inner)).join('');
  }

  #node(node: Node, scope: Scope): string {
    if (node.type === 'text') return node.text;
    const value = this.#pipeline(node.pipeline, scope);
    if (node.type === 'range') return this.#range(node, value, scope);
    this.#declare(node.pipeline, value, scope);
    if (node.type === 'print') return this.#print(node.pipeline, value);
    if (!isTrue(value)) return this.#list(node.otherwise, scope);
    const dot = node.type === 'with' ? value : scope.dot;
    return this.#list(node.body, { dot, variables: scope.variables });
  }

  #print(pipeline: Pipeline, value: unknown): string {
    if (pipeline.declares.length > 0) return '';
    return value === undefined ? NO_VALUE : formatValue(value);
  }

  #declare(pipeline: Pipeline, value: unknown, scope: Scope): void {
    const [name] = pipeline.declares;
    if (name !== undefined) scope.variables.set(name, value);
  }

  #range(node: Exclude<Node, { type: 'text' | 'print' }>, value: unknown, scope: Scope): string {
    const items = entriesOf(value);
    if (items.length === 0) return this.#list(node.otherwise, scope);
    const names = node.pipeline.declares;
    return items
      .map(([key, item]) => {
        const variables = new Map(scope.variables);
        if (names.length === 1) variables.set(names[0] as string, item);
        if (names.length === 2) {
          variables.set(names[0] as string, key).set(names[1] as string, item);
        }
        return this.#list(node.body, { dot: item, variables });
      })
      .join('');
  }

  #pipeline(pipeline: Pipeline, scope: Scope): unknown {
    return pipeline.calls.reduce<unknown[]>(
      (piped, call) => [this.#call(call, piped, scope)],
      [],
    )[0];
  }

  #call(call: Call, piped: readonly unknown[], scope: Scope): unknown {
    if (call.type === 'operand') {
      if (piped.length > 0) throw new TemplateError('only a function can take a piped value');
      return this.#operand(call.operand, scope);
    }
    const run = this.#functions[call.name];
    if (!run) throw new TemplateError(`function "${call.name}" not defined`);
    return run(...call.args.map((arg) => this.#operand(arg, scope)), ...piped);
  }

  #operand(operand: Operand, scope: Scope): unknown {
    switch (operand.type) {
      case 'literal':
        return operand.value;
      case 'field':
        return this.#follow(scope.dot, operand.path);
      case 'variable': {
        if (!scope.variables.has(operand.name)) {
          throw new TemplateError(`undefined variable "${operand.name}"`);
        }
        return this.#follow(scope.variables.get(operand.name), operand.path);
      }
      case 'nested':
        return this.#follow(this.#pipeline(operand.pipeline, scope), operand.path);
    }
  }

  #follow(start: unknown, path: readonly string[]): unknown {
    let value = start;
    for (const name of path) {
      const known = typeof value === 'object' && value !== null && name in value;
      if (!known && this.#missing === 'error') {
        throw new TemplateError(`there is no field "${name}" in ".${path.join('.')}"`);
      }
      value = known ? (value as Record<string, unknown>)[name] : undefined;
    }
    return typeof value === 'function' ? value.call(start) : value;
  }
}

interface Scope {
  readonly dot: unknown;
  readonly variables: Map<string, unknown>;
}

/** Maps are walked in the order of their keys, as in Go. */
function entriesOf(value: unknown): [unknown, unknown][] {
  if (Array.isArray(value)) return value.map((item, index) => [index, item]);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}
