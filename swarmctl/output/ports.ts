export interface ContainerPort {
  readonly IP?: string;
  readonly PrivatePort: number;
  readonly PublicPort?: number;
  readonly Type: string;
}

/** As in `ps`: `0.0.0.0:8080-8081->80-81/tcp, 443/tcp`; neighbours make ranges. */
export function displayPorts(ports: readonly ContainerPort[]): string {
  const runs: ContainerPort[][] = [];
  for (const port of [...ports].sort(compare)) {
    const last = runs.at(-1)?.at(-1);
    if (last && follows(last, port)) runs.at(-1)?.push(port);
    else runs.push([port]);
  }
  return runs.sort(compareRuns).map(describe).join(', ');
}

function compare(a: ContainerPort, b: ContainerPort): number {
  return (
    compareText(a.IP, b.IP) ||
    compareText(a.Type, b.Type) ||
    a.PrivatePort - b.PrivatePort ||
    (a.PublicPort ?? 0) - (b.PublicPort ?? 0)
  );
}

/** What belongs to one port stands together. */
function compareRuns([a]: readonly ContainerPort[], [b]: readonly ContainerPort[]): number {
  if (!a || !b) return 0;
  return a.PrivatePort - b.PrivatePort || compareText(a.Type, b.Type) || compareText(a.IP, b.IP);
}

function compareText(a = '', b = ''): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

/** A range that is published keeps its numbers, or it would not say what goes where. */
function follows(last: ContainerPort, port: ContainerPort): boolean {
  const step = (a: number | undefined, b: number | undefined) =>
    a === undefined || b === undefined ? a === b : b === a + 1;
  return (
    last.IP === port.IP &&
    last.Type === port.Type &&
    port.PrivatePort === last.PrivatePort + 1 &&
    step(last.PublicPort, port.PublicPort)
  );
}

function describe(run: readonly ContainerPort[]): string {
  const first = run[0] as ContainerPort;
  const last = run.at(-1) as ContainerPort;
  const span = (from = 0, to = 0) => (from === to ? `${from}` : `${from}-${to}`);
  const inside = `${span(first.PrivatePort, last.PrivatePort)}/${first.Type}`;
  if (first.PublicPort === undefined) return inside;
  const ip = first.IP?.includes(':') ? `[${first.IP}]` : first.IP;
  return `${ip ? `${ip}:` : ''}${span(first.PublicPort, last.PublicPort)}->${inside}`;
}
