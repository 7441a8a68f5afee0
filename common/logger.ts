import { type Logger, pino } from 'pino';

export type { Logger };

/** The process's logger; modules take a child with `{ module }`. */
export function createLogger(level: string): Logger {
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime });
}

/** For tests and tools that want silence. */
export const silentLogger: Logger = pino({ level: 'silent' });
