import type { Clock } from '../../common/clock.ts';
import { durationMs } from '../../common/duration.ts';
import { SwarmError } from '../../common/errors.ts';
import type { Cluster } from '../../proto/gen/swarm/objects.ts';
import type { CertificateIdentity } from '../types.ts';
import { externalCasFor, type SigningRoot, signingRootOf } from './cluster-root.ts';
import { ExternalCa, type ExternalCaComponents } from './external-ca.ts';
import { DEFAULT_CERTIFICATE_VALIDITY_MS, parseRequest, RootCa } from './root-ca.ts';

export interface NodeSignerComponents {
  readonly clock: Clock;
  readonly external: ExternalCaComponents;
}

/** Signs the certificates of nodes with what a cluster object says: a key in it, or an external CA. */
export class NodeSigner {
  readonly #components: NodeSignerComponents;
  /** Kept, since a key is slow to import. */
  #rootCa: RootCa | undefined;

  constructor(components: NodeSignerComponents) {
    this.#components = components;
  }

  /**
   * PEM of the certificate, with the cross-signed root behind it while the root is rotated.
   * Throws SWM_INVALID_ARGUMENT for a bad request, SWM_UNAVAILABLE when no external CA signs, and
   * SWM_FAILED_PRECONDITION when nobody could.
   */
  async sign(cluster: Cluster, csrPem: string, identity: CertificateIdentity): Promise<string> {
    const root = signingRootOf(cluster.rootCa);
    const external = externalCasFor(cluster, root.certificatePem);
    await parseRequest(csrPem);
    const certificatePem =
      external.length > 0
        ? await this.#externalCa(external, root).issue(csrPem, identity)
        : await this.#load(root).issue({
            csrPem,
            identity,
            validityMs: validityMsOf(cluster),
            now: this.#components.clock.now(),
          });
    return certificatePem + root.intermediatePem;
  }

  #externalCa(external: readonly { readonly url: string }[], root: SigningRoot): ExternalCa {
    const init = { urls: external.map(({ url }) => url), rootPem: root.certificatePem };
    const { clock, external: access } = this.#components;
    return new ExternalCa({ clock, ...access }, init);
  }

  #load({ certificatePem, keyPem }: SigningRoot): RootCa {
    if (keyPem === undefined) throw nobodySigns();
    const known = this.#rootCa;
    if (known?.certificatePem !== certificatePem || known.keyPem !== keyPem) {
      this.#rootCa = new RootCa(certificatePem, keyPem);
    }
    return this.#rootCa as RootCa;
  }
}

/** What a certificate of a node of `cluster` is valid for, in milliseconds. */
function validityMsOf({ spec }: Cluster): number {
  return durationMs(spec?.caConfig?.nodeCertExpiry, DEFAULT_CERTIFICATE_VALIDITY_MS);
}

function nobodySigns(): SwarmError {
  return new SwarmError(
    'SWM_FAILED_PRECONDITION',
    'the swarm has neither the key of its root CA nor an external CA that signs for it',
    { hint: 'Name one with "swarmctl swarm update --external-ca protocol=cfssl,url=…".' },
  );
}
