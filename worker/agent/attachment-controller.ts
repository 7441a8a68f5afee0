import type { Controller } from './controller.ts';

/**
 * A task that is nothing but an address for a container that somebody runs by hand: it runs for as
 * long as it is assigned. The engine does the rest.
 */
export class AttachmentController implements Controller {
  async prepare(): Promise<void> {}

  async start(): Promise<void> {}

  wait(signal: AbortSignal): Promise<void> {
    return new Promise((_, reject) => {
      if (signal.aborted) return reject(signal.reason);
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }

  async shutdown(): Promise<void> {}

  async remove(): Promise<void> {}

  status(): undefined {
    return undefined;
  }
}
