import { type Piece, splitPieces, TemplateError, type Token, tokenize } from './lexer.ts';

export type Operand =
  | { readonly type: 'literal'; readonly value: unknown }
  | { readonly type: 'field'; readonly path: readonly string[] } // of the dot
  | { readonly type: 'variable'; readonly name: string; readonly path: readonly string[] }
  | { readonly type: 'nested'; readonly pipeline: Pipeline; readonly path: readonly string[] };

export type Call =
  | { readonly type: 'operand'; readonly operand: Operand }
  | { readonly type: 'function'; readonly name: string; readonly args: readonly Operand[] };

export interface Pipeline {
  /** `$a := …` or `$k, $v := …` */
  readonly declares: readonly string[];
  readonly calls: readonly Call[];
}

export type Node =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'print'; readonly pipeline: Pipeline }
  | {
      readonly type: 'if' | 'range' | 'with';
      readonly pipeline: Pipeline;
      readonly body: readonly Node[];
      readonly otherwise: readonly Node[];
    };

const LITERALS: Record<string, unknown> = { true: true, false: false, nil: undefined };

/** Throws TemplateError. */
export function parseTemplate(template: string): readonly Node[] {
  const pieces = splitPieces(template);
  const reader = { pieces, next: 0 };
  const { nodes, ended } = parseList(reader);
  if (ended !== undefined) throw new TemplateError(`unexpected {{${ended}}}`);
  return nodes;
}

interface Reader {
  readonly pieces: readonly Piece[];
  next: number;
}

/** Nodes up to `end` or `else`, which is returned as `ended`. */
function parseList(reader: Reader): { nodes: Node[]; ended: string | undefined } {
  const nodes: Node[] = [];
  while (reader.next < reader.pieces.length) {
    const piece = reader.pieces[reader.next++] as Piece;
    if (piece.type === 'text') {
      nodes.push(piece);
      continue;
    }
    const keyword = /^(end|else|if|range|with)\b/.exec(piece.source)?.[1];
    const rest = piece.source.slice(keyword?.length ?? 0).trim();
    if (keyword === 'end') return { nodes, ended: 'end' };
    if (keyword === 'else') return { nodes, ended: `else ${rest}`.trim() };
    if (keyword) nodes.push(parseBlock(reader, keyword as 'if' | 'range' | 'with', rest));
    else nodes.push({ type: 'print', pipeline: parsePipeline(piece.source) });
  }
  return { nodes, ended: undefined };
}

function parseBlock(reader: Reader, type: 'if' | 'range' | 'with', source: string): Node {
  const pipeline = parsePipeline(source);
  const { nodes: body, ended } = parseList(reader);
  if (ended === undefined) throw new TemplateError(`{{${type} ${source}}} has no {{end}}`);
  if (ended === 'end') return { type, pipeline, body, otherwise: [] };
  const chained = /^else (if|with) (.*)$/.exec(ended);
  if (chained) {
    const nested = parseBlock(reader, chained[1] as 'if' | 'with', chained[2] as string);
    return { type, pipeline, body, otherwise: [nested] };
  }
  const { nodes: otherwise, ended: last } = parseList(reader);
  if (last !== 'end') throw new TemplateError(`{{else}} of {{${type} ${source}}} has no {{end}}`);
  return { type, pipeline, body, otherwise };
}

function parsePipeline(source: string): Pipeline {
  const parser = new PipelineParser(source);
  return parser.parse();
}

class PipelineParser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = tokenize(source);
  }

  parse(): Pipeline {
    const declares = this.#declarations();
    const calls = this.#calls();
    if (this.#token.kind !== 'end') throw this.#unexpected();
    return { declares, calls };
  }

  get #token(): Token {
    return this.#tokens[this.#at] as Token;
  }

  #declarations(): string[] {
    const end = this.#tokens.findIndex((token) => token.kind === 'mark' && token.text === ':=');
    if (end < 0) return [];
    const names = this.#tokens.slice(0, end).filter((token) => token.kind === 'variable');
    this.#at = end + 1;
    return names.map((token) => token.text);
  }

  #calls(): Call[] {
    const calls = [this.#call()];
    while (this.#token.text === '|') {
      this.#at += 1;
      calls.push(this.#call());
    }
    return calls;
  }

  #call(): Call {
    const { kind, text } = this.#token;
    if (kind !== 'name' || text in LITERALS) return { type: 'operand', operand: this.#operand() };
    this.#at += 1;
    const args: Operand[] = [];
    while (this.#startsOperand()) args.push(this.#operand());
    return { type: 'function', name: text, args };
  }

  #startsOperand(): boolean {
    const { kind, text } = this.#token;
    if (kind === 'name') return true;
    return ['string', 'number', 'field', 'variable'].includes(kind) || text === '(';
  }

  #operand(): Operand {
    const { kind, text } = this.#token;
    this.#at += 1;
    if (kind === 'string') return { type: 'literal', value: unquote(text) };
    if (kind === 'number') return { type: 'literal', value: Number(text) };
    if (kind === 'name' && text in LITERALS) return { type: 'literal', value: LITERALS[text] };
    if (kind === 'field') return { type: 'field', path: splitPath(text) };
    if (kind === 'variable') {
      const [name = '$', ...path] = text.split('.');
      return { type: 'variable', name, path };
    }
    if (kind === 'name') {
      const call: Call = { type: 'function', name: text, args: [] };
      return { type: 'nested', pipeline: { declares: [], calls: [call] }, path: [] };
    }
    if (text !== '(') throw this.#unexpected(text);
    const pipeline = { declares: [], calls: this.#calls() };
    if (this.#token.text !== ')') throw this.#unexpected();
    this.#at += 1;
    return { type: 'nested', pipeline, path: this.#pathAfterParenthesis() };
  }

  #pathAfterParenthesis(): string[] {
    if (this.#token.kind !== 'field' || this.#token.text === '.') return [];
    const path = splitPath(this.#token.text);
    this.#at += 1;
    return path;
  }

  #unexpected(text = this.#token.text): TemplateError {
    return new TemplateError(`unexpected "${text || 'end'}" in "{{${this.#source}}}"`);
  }
}

function unquote(text: string): string {
  return text.startsWith('`') ? text.slice(1, -1) : (JSON.parse(text) as string);
}

function splitPath(text: string): string[] {
  return text.split('.').filter((name) => name !== '');
}
