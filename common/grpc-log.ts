import { format } from 'node:util';
import { setLogger } from '@grpc/grpc-js';
import type { Logger } from './logger.ts';

/**
 * What grpc-js has to say goes to `logger`, and not to stderr; it has one logger in a process. Its errors
 * are warnings here: what failed by them is reported by whoever called.
 */
export function setGrpcLogger(logger: Logger): void {
  const own = logger.child({ module: 'grpc' });
  setLogger({
    error: (...args: unknown[]) => own.warn(format(...args)),
    info: (...args: unknown[]) => own.info(format(...args)),
    debug: (...args: unknown[]) => own.debug(format(...args)),
  });
}
