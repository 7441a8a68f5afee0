import { durationMs } from '../../common/duration.ts';
import type { Duration } from '../../proto/gen/google/protobuf/duration.ts';

export function negative(duration: Duration | undefined): boolean {
  return durationMs(duration, 0) < 0;
}
