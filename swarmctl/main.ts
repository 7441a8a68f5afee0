#!/usr/bin/env node
import { runCommandLine } from './program.ts';

// A reader that went away (`swarmctl … | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
});

process.exitCode = await runCommandLine(process.argv.slice(2), {
  env: process.env,
  input: process.stdin,
  out: process.stdout,
  err: process.stderr,
  isTerminal: Boolean(process.stdout.isTTY),
  signals: process,
});
