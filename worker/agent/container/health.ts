import type { ContainerState, EngineApi } from '../../engine/types.ts';

export class UnhealthyError extends Error {
  constructor() {
    super('unhealthy container');
    this.name = 'UnhealthyError';
  }
}

type Health = ContainerState['health'];

/** 'none' also for a container that is gone. */
export function healthOf(engine: EngineApi, id: string): Health {
  try {
    return engine.get(id).state.health;
  } catch {
    return 'none';
  }
}

/** Resolves with `health` when the container has it, now or later. Rejects when aborted. */
export function watchHealth<H extends Health>(
  engine: EngineApi,
  id: string,
  health: H,
  signal: AbortSignal,
): Promise<H> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const finish = (settle: () => void) => {
      unsubscribe();
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const onAbort = () => finish(() => reject(signal.reason));
    const look = () => {
      if (healthOf(engine, id) === health) finish(() => resolve(health));
    };
    const unsubscribe = engine.onEvent((event) => {
      if (event.type === 'container' && event.id === id) look();
    });
    signal.addEventListener('abort', onAbort, { once: true });
    look();
  });
}
