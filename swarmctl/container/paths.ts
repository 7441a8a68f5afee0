/** The API's path of a container, with what is asked of it. */
export function containerPath(container: string, action = ''): string {
  return `/containers/${encodeURIComponent(container)}${action && `/${action}`}`;
}
