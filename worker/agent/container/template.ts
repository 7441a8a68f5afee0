import { SwarmError } from '../../../common/errors.ts';

export type TemplateValue = string | number | { readonly [key: string]: TemplateValue };
export type TemplateFunction = (...args: TemplateValue[]) => TemplateValue;

export interface TemplateScope {
  /** What `.` is. */
  readonly data: TemplateValue;
  readonly functions?: Readonly<Record<string, TemplateFunction>>;
}

/**
 * Expands the placeholders of a service spec, e.g. `{{.Node.Hostname}}`. It is the part of Go's
 * template language that such placeholders use: fields, string and number literals, function calls,
 * parentheses, pipes, comments and the trim markers. There is no control flow. A field that does
 * not exist is an error.
 */
export function expandTemplate(text: string, scope: TemplateScope): string {
  let result = '';
  let end = 0;
  let trimNext = false;
  for (const match of text.matchAll(ACTION)) {
    const [whole, trimLeft, action = '', trimRight] = match;
    result += trimmed(text.slice(end, match.index), trimNext, trimLeft !== undefined);
    result += evaluateAction(action, scope);
    end = match.index + whole.length;
    trimNext = trimRight !== undefined;
  }
  const rest = text.slice(end);
  if (rest.includes('{{')) throw invalid(text, 'unclosed action');
  return result + trimmed(rest, trimNext, false);
}

/** `{{ action }}`, with the marks that trim the text before and after it. */
const ACTION = /\{\{(-\s)?([\s\S]*?)(\s-)?\}\}/g;

function trimmed(text: string, left: boolean, right: boolean): string {
  const once = left ? text.trimStart() : text;
  return right ? once.trimEnd() : once;
}

function evaluateAction(source: string, scope: TemplateScope): string {
  const action = source.trim();
  if (action.startsWith('/*') && action.endsWith('*/')) return '';
  const value = new Parser(action, scope).pipeline();
  if (typeof value === 'object') {
    return `map[${Object.entries(value)
      .map(([key, item]) => `${key}:${item}`)
      .join(' ')}]`;
  }
  return `${value}`;
}

const TOKEN =
  /\s*(?:("(?:[^"\\]|\\.)*"|`[^`]*`)|(-?\d+(?:\.\d+)?)|((?:\.[A-Za-z_]\w*)+|\.)|([A-Za-z_]\w*)|([|()])|(.))/y;

interface Token {
  readonly kind: 'string' | 'number' | 'field' | 'name' | 'mark' | 'end';
  readonly text: string;
}

/** Evaluates while it parses: an action is evaluated once, so there is no tree. */
class Parser {
  readonly #source: string;
  readonly #scope: TemplateScope;
  #position = 0;
  #token: Token;

  constructor(source: string, scope: TemplateScope) {
    this.#source = source;
    this.#scope = scope;
    this.#token = this.#next();
  }

  pipeline(closing = ''): TemplateValue {
    let value = this.#command([]);
    while (this.#token.text === '|' && this.#token.kind === 'mark') {
      this.#advance();
      value = this.#command([value]);
    }
    const end = closing === '' ? this.#token.kind === 'end' : this.#token.text === closing;
    if (!end) throw invalid(this.#source, `unexpected "${this.#token.text}"`);
    if (closing !== '') this.#advance();
    return value;
  }

  /** A function with its arguments, or a value; what comes through the pipe is the last argument. */
  #command(piped: TemplateValue[]): TemplateValue {
    if (this.#token.kind !== 'name') {
      const value = this.#operand();
      if (piped.length > 0) throw invalid(this.#source, 'only a function can take a piped value');
      return value;
    }
    const name = this.#token.text;
    this.#advance();
    const args: TemplateValue[] = [];
    while (this.#startsOperand()) args.push(this.#operand());
    const call = this.#scope.functions?.[name] ?? builtins[name];
    if (!call) throw invalid(this.#source, `function "${name}" not defined`);
    return call(...args, ...piped);
  }

  #startsOperand(): boolean {
    const { kind, text } = this.#token;
    return kind === 'string' || kind === 'number' || kind === 'field' || text === '(';
  }

  #operand(): TemplateValue {
    const { kind, text } = this.#token;
    if (!this.#startsOperand()) throw invalid(this.#source, `unexpected "${text || 'end'}"`);
    this.#advance();
    if (kind === 'string') return text.startsWith('`') ? text.slice(1, -1) : JSON.parse(text);
    if (kind === 'number') return Number(text);
    if (kind === 'field') return this.#field(text);
    return this.pipeline(')');
  }

  #field(path: string): TemplateValue {
    let value = this.#scope.data;
    for (const name of path.split('.').filter(Boolean)) {
      if (typeof value !== 'object' || !Object.hasOwn(value, name)) {
        throw invalid(this.#source, `there is no field "${name}" in "${path}"`);
      }
      value = value[name] as TemplateValue;
    }
    return value;
  }

  #advance(): void {
    this.#token = this.#next();
  }

  #next(): Token {
    if (this.#source.slice(this.#position).trim() === '') return { kind: 'end', text: '' };
    TOKEN.lastIndex = this.#position;
    const [all = '', string, number, field, name, mark, other] = TOKEN.exec(this.#source) ?? [];
    this.#position += all.length;
    if (string !== undefined) return { kind: 'string', text: string };
    if (number !== undefined) return { kind: 'number', text: number };
    if (field !== undefined) return { kind: 'field', text: field };
    if (name !== undefined) return { kind: 'name', text: name };
    if (mark !== undefined) return { kind: 'mark', text: mark };
    throw invalid(this.#source, `unexpected "${other}"`);
  }
}

const builtins: Record<string, TemplateFunction> = {
  /** `join SEPARATOR ITEM…`. */
  join: (separator = '', ...items) => items.join(`${separator}`),
  /** `index MAP KEY…`; a missing key is the empty string, as for maps of strings in Go. */
  index: (map = '', ...keys) =>
    keys.reduce<TemplateValue>((value, key) => {
      if (typeof value !== 'object') throw invalid('index', `"${value}" is not a map`);
      return Object.hasOwn(value, `${key}`) ? (value[`${key}`] as TemplateValue) : '';
    }, map),
  print: (...args) => args.join(''),
};

function invalid(source: string, reason: string): SwarmError {
  return new SwarmError(
    'SWM_INVALID_ARGUMENT',
    `template "${source}" cannot be expanded: ${reason}`,
  );
}
