import { invalid } from './validate-names.ts';

const KEY = /^[a-z_][a-z0-9\-_.]+$/i;
const VALUE = /^[a-z0-9:\-_\s.*()?+[\]\\^$|/]+$/i;

/** Throws SWM_INVALID_ARGUMENT unless each is `key==value` or `key!=value`. */
export function validateConstraints(constraints: readonly string[]): void {
  for (const constraint of constraints) {
    const parts = constraint.split(/==|!=/);
    if (parts.length !== 2) {
      throw invalid(`constraint expected one operator from ==, !=, and was "${constraint}"`);
    }
    const [key, value] = parts.map((part) => part.trim()) as [string, string];
    if (!KEY.test(key))
      throw invalid(`invalid constraint "${constraint}": key '${key}' is invalid`);
    if (!VALUE.test(value)) {
      throw invalid(`invalid constraint "${constraint}": value '${value}' is invalid`);
    }
  }
}
