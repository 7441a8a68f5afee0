/** A template is text and actions; an action is what stands between `{{` and `}}`. */
export type Piece =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'action'; readonly source: string };

export type TokenKind = 'string' | 'number' | 'field' | 'variable' | 'name' | 'mark' | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

export class TemplateError extends Error {}

const ACTION = /\{\{(-\s)?((?:"(?:[^"\\]|\\.)*"|`[^`]*`|[^"`])*?)(\s-)?\}\}/g;

const TOKEN =
  /\s*(?:("(?:[^"\\]|\\.)*"|`[^`]*`)|(-?\d+(?:\.\d+)?)|((?:\.[\p{L}_][\p{L}\p{N}_]*)+|\.)|(\$[\p{L}\p{N}_]*(?:\.[\p{L}_][\p{L}\p{N}_]*)*)|([\p{L}_][\p{L}\p{N}_]*)|(:=|[|(),=])|(\S))/uy;

/** Splits a template; `{{-` and `-}}` trim the text beside them; comments vanish. */
export function splitPieces(template: string): Piece[] {
  const pieces: Piece[] = [];
  let end = 0;
  let trimNext = false;
  const addText = (text: string, trimEnd: boolean) => {
    const started = trimNext ? text.trimStart() : text;
    const trimmed = trimEnd ? started.trimEnd() : started;
    if (trimmed !== '') pieces.push({ type: 'text', text: trimmed });
  };
  for (const match of template.matchAll(ACTION)) {
    const [whole, trimLeft, source = '', trimRight] = match;
    addText(template.slice(end, match.index), trimLeft !== undefined);
    const action = source.trim();
    if (!action.startsWith('/*')) pieces.push({ type: 'action', source: action });
    end = match.index + whole.length;
    trimNext = trimRight !== undefined;
  }
  const rest = template.slice(end);
  if (rest.includes('{{')) throw new TemplateError(`unclosed action in "${template}"`);
  addText(rest, false);
  return pieces;
}

export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  for (let position = 0; source.slice(position).trim() !== ''; ) {
    TOKEN.lastIndex = position;
    const [all = '', string, number, field, variable, name, mark, other] = TOKEN.exec(source) ?? [];
    position += all.length;
    if (other !== undefined) throw new TemplateError(`unexpected "${other}" in "{{${source}}}"`);
    if (string !== undefined) tokens.push({ kind: 'string', text: string });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (field !== undefined) tokens.push({ kind: 'field', text: field });
    else if (variable !== undefined) tokens.push({ kind: 'variable', text: variable });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else tokens.push({ kind: 'mark', text: mark as string });
  }
  return [...tokens, { kind: 'end', text: '' }];
}
