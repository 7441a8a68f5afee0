import { constants } from 'node:os';
import { SwarmError } from '../../common/errors.ts';

const REALTIME_MIN = 34;
const REALTIME_MAX = 64;

/** A signal's number from `SIGTERM`, `TERM`, `15` or `RTMIN+3`. Throws SWM_INVALID_ARGUMENT. */
export function signalNumber(text: string): number {
  const name = text.trim().toUpperCase().replace(/^SIG/, '');
  if (/^\d+$/.test(name)) {
    const number = Number(name);
    if (number >= 1 && number <= REALTIME_MAX) return number;
  }
  const known = constants.signals[`SIG${name}` as NodeJS.Signals];
  if (known !== undefined) return known;
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (realtime) {
    const base = realtime[1] === 'MIN' ? REALTIME_MIN : REALTIME_MAX;
    const number = base + Number(`${realtime[2] ?? '+'}${realtime[3] ?? 0}`);
    if (number >= REALTIME_MIN && number <= REALTIME_MAX) return number;
  }
  throw new SwarmError('SWM_INVALID_ARGUMENT', `invalid signal: ${text}`);
}

/** `SIGTERM` for 15. */
export function signalName(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found?.[0] ?? String(number);
}
