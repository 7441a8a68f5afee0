import { errorMessage, SwarmError } from '../../../common/errors.ts';
import {
  Template,
  TemplateError,
  type TemplateFunction,
} from '../../../common/go-template/index.ts';

export type { TemplateFunction } from '../../../common/go-template/index.ts';

export interface TemplateScope {
  /** What `.` is. */
  readonly data: unknown;
  readonly functions?: Readonly<Record<string, TemplateFunction>>;
}

/**
 * Expands the placeholders of a service spec, e.g. `{{.Node.Hostname}}`. A field that does not exist
 * is an error: SWM_INVALID_ARGUMENT.
 */
export function expandTemplate(text: string, scope: TemplateScope): string {
  if (!text.includes('{{')) return text;
  try {
    const functions = { join, index, ...scope.functions };
    return new Template(text, { functions }).render(scope.data);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    const message = `template "${text}" cannot be expanded: ${errorMessage(error)}`;
    throw new SwarmError('SWM_INVALID_ARGUMENT', message);
  }
}

/** `join SEPARATOR ITEM…`: not as in the formats of the command line, where the list comes first. */
const join: TemplateFunction = (separator, ...items) => items.join(`${separator}`);

/** `index MAP KEY…`: a key that is not there is the empty string, as in a map of strings. */
const index: TemplateFunction = (map, ...keys) =>
  keys.reduce<unknown>((item, key) => (item as Record<string, unknown>)?.[`${key}`] ?? '', map);
