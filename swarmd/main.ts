#!/usr/bin/env node
// The log of Raft, the engine's records and DNS share libuv's threads: four are too few, and the
// number is read before anything uses them.
process.env['UV_THREADPOOL_SIZE'] ??= '16';

const { limitArenas } = await import('./malloc.ts');
limitArenas();

// Modules are loaded into memory that stays: for that the young generation would grow to its 48 MiB, and a
// daemon at rest would keep 20 MiB more than it needs. Under load it may grow, which spares a third of the time.
const { setFlagsFromString } = await import('node:v8');
setFlagsFromString('--semi-space-growth-factor=1');

const { parseOptions } = await import('./options.ts');
const { createLogger } = await import('../common/logger.ts');
const { setGrpcLogger } = await import('../common/grpc-log.ts');
const { errorMessage, isSwarmError } = await import('../common/errors.ts');
const { Daemon } = await import('./daemon.ts');

const options = parseOptions(process.argv);
const logger = createLogger(options.logLevel);
setGrpcLogger(logger);
const daemon = new Daemon({ logger }, options);

process.on('unhandledRejection', (reason) => {
  logger.error({ err: reason }, 'unhandled rejection');
});

let stopping = false;
const stop = (signal: string) => {
  if (stopping) return;
  stopping = true;
  logger.info({ signal }, 'stopping; containers go on running');
  daemon.stop().then(
    () => process.exit(0),
    (error: unknown) => {
      logger.error({ err: error }, 'did not stop cleanly');
      process.exit(1);
    },
  );
};
process.on('SIGTERM', () => stop('SIGTERM'));
process.on('SIGINT', () => stop('SIGINT'));

try {
  await daemon.start();
  setFlagsFromString('--semi-space-growth-factor=2');
} catch (error) {
  logger.fatal({ err: error }, 'swarmd could not start');
  process.stderr.write(`swarmd: ${errorMessage(error)}\n`);
  if (isSwarmError(error) && error.hint) process.stderr.write(`hint: ${error.hint}\n`);
  await daemon.stop().catch(() => undefined);
  process.exit(1);
}

export {};
