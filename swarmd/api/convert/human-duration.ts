const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;
const MONTH = 30 * DAY;
const YEAR = 365 * DAY;

/** A span of milliseconds in the words of `docker ps`. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / SECOND);
  const minutes = Math.floor(ms / MINUTE);
  const hours = Math.round(ms / HOUR);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (ms < 2 * WEEK) return `${Math.floor(ms / DAY)} days`;
  if (ms < 2 * MONTH) return `${Math.floor(ms / WEEK)} weeks`;
  if (ms < 2 * YEAR) return `${Math.floor(ms / MONTH)} months`;
  return `${Math.floor(ms / YEAR)} years`;
}
