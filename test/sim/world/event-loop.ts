import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';

/** After so many turns without anything from outside, code goes round in a circle. */
const TURNS_MAX = 100_000;

const ofMachine = globalThis.setImmediate;
/** Runs next ticks and microtasks until there are none; internal to Node, but there since ever. */
const runTicks = (process as unknown as { _tickCallback: () => void })._tickCallback;

let taken = false;
let queue: (() => void)[] = [];

/**
 * From now on, in all of this process, `setImmediate` waits for `drain` and not for the event loop of the
 * machine; what waited so far is forgotten. So a simulation knows when the code of an event is done, and goes on at once: that code may
 * wait for promises, ticks and turns, and for what the simulated world brings, and for nothing else.
 */
export function takeOverEventLoop(): void {
  queue = [];
  if (taken) return;
  taken = true;
  const later = (run: () => void) => queue.push(run);
  globalThis.setImmediate = ((run: (...args: unknown[]) => void, ...args: unknown[]) =>
    later(() => run(...args))) as unknown as typeof setImmediate;
  timers.setImmediate = <T>(value?: T) =>
    new Promise<T>((resolve) => later(() => resolve(value as T)));
  syncBuiltinESMExports();
  AbortSignal.any = anyOf;
}

/** What each signal ends, apart from what listens to it. */
const ends = new WeakMap<AbortSignal, Set<AbortController>>();

/**
 * As `AbortSignal.any`. That one has Node remember, until it is aborted, each signal that somebody listens to,
 * and with it all of a process of a simulation that ended without a word.
 */
function anyOf(signals: Iterable<AbortSignal>): AbortSignal {
  const any = new AbortController();
  const sources = [...signals];
  const aborted = sources.find((signal) => signal.aborted);
  if (aborted) any.abort(aborted.reason);
  else for (const source of sources) endedBy(source).add(any);
  return any.signal;
}

function endedBy(source: AbortSignal): Set<AbortController> {
  let ended = ends.get(source);
  if (!ended) {
    ended = new Set();
    ends.set(source, ended);
    const all = ended;
    const onAbort = () => {
      for (const any of all) any.abort(source.reason);
    };
    source.addEventListener('abort', onAbort, { once: true });
  }
  return ended;
}

/**
 * Lets everything go as far as it can without the world. Throws what code throws that nobody waits
 * for. To be called in a turn of its own (see `inOwnTurn`): within a promise's reaction no other one runs.
 */
export function drain(): void {
  for (let turns = 0; turns < TURNS_MAX; turns++) {
    runTicks();
    if (queue.length === 0) return;
    const due = queue;
    queue = [];
    for (const run of due) {
      run();
      runTicks();
    }
  }
  throw new Error(`code that does not come to rest in ${TURNS_MAX} turns of the event loop`);
}

/** Runs `work` in a turn of the machine's event loop. */
export function inOwnTurn(work: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    ofMachine(() => {
      try {
        work();
        resolve();
      } catch (error) {
        reject(error);
      }
    });
  });
}
