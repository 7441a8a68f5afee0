/** One side of `cp`: a path of this machine or, with `container`, of a container; `-` is a stream. */
export interface Address {
  readonly container?: string;
  readonly path: string;
}

/** CONTAINER:PATH, unless it begins like a path: ./a:b is a file of this machine. */
export function parseAddress(text: string): Address {
  const colon = text.indexOf(':');
  if (colon < 1 || /^[./]/.test(text)) return { path: text };
  return { container: text.slice(0, colon), path: text.slice(colon + 1) };
}

/** The content of a directory is meant, not the directory: /etc/. */
export function meansContent(path: string): boolean {
  return path === '.' || path.endsWith('/.');
}

/** Only a directory can have this name. */
export function meansDirectory(path: string): boolean {
  return path.endsWith('/') || meansContent(path);
}
