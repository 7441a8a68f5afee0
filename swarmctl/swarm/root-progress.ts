import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ApiError } from '../client.ts';
import type { NodeObject, Swarm, TlsInfo } from '../commands/api-types.ts';
import { type Context, isConnectionLost, print } from '../context.ts';

const POLL_MS = 200;
/** An election, or a manager that restarts, is no reason to give up. */
const OUTAGE_LIMIT_POLLS = 300;

/** How far a rotation of the root CA is. */
export interface RotationProgress {
  readonly lines: readonly string[];
  readonly done: boolean;
}

/** Shows how far the rotation is until every node has a certificate of the new root. */
export async function waitForRotation(
  context: Context,
  { quiet }: { quiet: boolean },
): Promise<void> {
  const screen = new Lines(context);
  let outage = 0;
  for (;;) {
    try {
      const swarm = await context.api.get<Swarm>('/swarm');
      const nodes = await context.api.get<NodeObject[]>('/nodes');
      outage = 0;
      const { lines, done } = rotationProgress(swarm, nodes);
      if (!quiet) screen.show(lines);
      if (done) return;
    } catch (error) {
      if (!isPassing(error) || ++outage > OUTAGE_LIMIT_POLLS) throw error;
    }
    await delay(POLL_MS);
  }
}

/** The counts of both are those that `docker swarm ca` shows. */
function rotationProgress(swarm: Swarm, nodes: readonly NodeObject[]): RotationProgress {
  const wanted = swarm.TLSInfo;
  const renewed = nodes.filter(({ Description }) => hasIssuer(Description.TLSInfo, wanted));
  const trusting = nodes.filter(
    ({ Description }) => Description.TLSInfo?.TrustRoot === wanted?.TrustRoot,
  );
  const allRenewed = renewed.length === nodes.length && !swarm.RootRotationInProgress;
  const late = nodes.filter((node) => !(allRenewed ? trusting : renewed).includes(node));
  return {
    lines: [
      `desired root digest: ${desiredDigest(wanted?.TrustRoot ?? '')}`,
      `  rotated TLS certificates:  ${renewed.length}/${nodes.length} nodes`,
      `  rotated CA certificates:   ${allRenewed ? trusting.length : 0}/${nodes.length} nodes`,
      ...away(late),
    ],
    done: allRenewed && trusting.length === nodes.length,
  };
}

/** They are waited for: without its new certificate, a node could not come back. */
function away(late: readonly NodeObject[]): string[] {
  const down = late.filter(({ Status }) => Status.State !== 'ready');
  if (down.length === 0) return [];
  const names = down.map(({ ID, Description, Status }) => {
    return `${Description.Hostname || ID} (${Status.State})`;
  });
  return [`  waiting for nodes that are away: ${names.join(', ')}`];
}

/** While roots are rotated both are trusted, and the desired one comes last. */
function desiredDigest(trustRoot: string): string {
  const roots = trustRoot.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g);
  const pem = roots?.at(-1) ?? trustRoot;
  return `sha256:${createHash('sha256').update(pem).digest('hex')}`;
}

function hasIssuer(info: TlsInfo | undefined, wanted: TlsInfo | undefined): boolean {
  return (
    info?.CertIssuerPublicKey === wanted?.CertIssuerPublicKey &&
    info?.CertIssuerSubject === wanted?.CertIssuerSubject
  );
}

function isPassing(error: unknown): boolean {
  return isConnectionLost(error) || (error instanceof ApiError && error.status === 503);
}

/** On a terminal some lines that are rewritten; elsewhere each line whenever it changes. */
class Lines {
  readonly #context: Context;
  #shown: readonly string[] = [];

  constructor(context: Context) {
    this.#context = context;
  }

  show(lines: readonly string[]): void {
    if (lines.join('\n') === this.#shown.join('\n')) return;
    if (this.#context.isTerminal) {
      if (this.#shown.length > 0) this.#context.out.write(`\x1b[${this.#shown.length}A\r\x1b[J`);
      for (const line of lines) print(this.#context, line);
    } else {
      for (const line of lines) if (!this.#shown.includes(line)) print(this.#context, line);
    }
    this.#shown = lines;
  }
}
