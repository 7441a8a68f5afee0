import type { Duration } from '../proto/gen/google/protobuf/duration.ts';

const NANOS_PER_SECOND = 1e9;

/** Milliseconds of a protobuf duration, or `fallback` (milliseconds) when it is not set. */
export function durationMs(duration: Duration | undefined, fallback: number): number {
  return duration ? duration.seconds * 1000 + duration.nanos / 1e6 : fallback;
}

export function msToDuration(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) };
}

/** From the Docker API's integer nanoseconds. */
export function nsToDuration(ns: number): Duration {
  const seconds = Math.floor(ns / NANOS_PER_SECOND);
  return { seconds, nanos: Math.round(ns - seconds * NANOS_PER_SECOND) };
}

/** To the Docker API's integer nanoseconds. */
export function durationNs(duration: Duration): number {
  return duration.seconds * NANOS_PER_SECOND + duration.nanos;
}
