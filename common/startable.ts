/** A part with a life: `start` once, then `stop` once; `stop` waits until nothing of it runs. */
export interface Startable {
  start(): Promise<void>;
  stop(): Promise<void>;
}
