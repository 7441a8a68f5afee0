import { type Logger, pino, symbols } from 'pino';

export type { Logger };

/** The process's logger; modules take a child with `{ module }`. */
export function createLogger(level: string): Logger {
  const timestamp = pino.stdTimeFunctions.isoTime;
  return pino({ level, base: null, timestamp, onChild: keepInnermostModule });
}

/** For tests and tools that want silence. */
export const silentLogger: Logger = pino({ level: 'silent' });

/** pino would write the `module` of every logger that this one descends from. */
function keepInnermostModule(child: Logger): void {
  const inner = child as Logger & { [symbols.chindingsSym]: string };
  const written = inner[symbols.chindingsSym];
  if (written.indexOf(',"module":') === written.lastIndexOf(',"module":')) return;
  const bindings = child.bindings();
  inner[symbols.chindingsSym] = '';
  child.setBindings(bindings);
}
