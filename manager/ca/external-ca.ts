import { createPublicKey, X509Certificate } from 'node:crypto';
import type { Clock } from '../../common/clock.ts';
import { within } from '../../common/deadline.ts';
import { errorMessage, SwarmError } from '../../common/errors.ts';
import type { CertificateIdentity } from '../types.ts';
import { identityOfCertificate, roleToOu } from './identity.ts';
import { hasSigned } from './issuer.ts';
import type { NodeFiles } from './state-files.ts';
import { csrPublicKey, normalizePem, splitPemBundle } from './x509.ts';

/** The profile that a CFSSL server must have for a root that is to sign another one. */
const CROSS_SIGNING_PROFILE = 'CA';
/** For each URL. */
const TIMEOUT_MS = 4_000;

/**
 * POSTs JSON to a server that the roots of `tls` vouch for, shows it our certificate, and resolves
 * with the status and the text of the answer. Rejects when the signal is aborted.
 */
export type PostJson = (
  url: string,
  body: unknown,
  tls: NodeFiles,
  signal: AbortSignal,
) => Promise<{ readonly status: number; readonly text: string }>;

/** How CAs outside of the swarm are reached. */
export interface ExternalCaComponents {
  readonly post: PostJson;
  /** This manager's certificate and key, and the roots that it trusts; asked for each time. */
  readonly tls: () => NodeFiles;
}

export interface ExternalCaInit {
  /** Of `…/api/v1/cfssl/sign`; tried in this order. */
  readonly urls: readonly string[];
  /** PEM of the root that it signs for: nothing else that it may return is accepted. */
  readonly rootPem: string;
}

/**
 * A CA outside of the swarm, behind the signing API of CFSSL
 * (https://github.com/cloudflare/cfssl/blob/master/doc/api/endpoint_sign.txt). What it returns is
 * checked before it is used. All calls throw SWM_UNAVAILABLE when no URL gave a sound certificate,
 * with the reason for each.
 */
export class ExternalCa {
  readonly #clock: Pick<Clock, 'setTimer'>;
  readonly #components: ExternalCaComponents;
  readonly #init: ExternalCaInit;

  constructor(
    components: ExternalCaComponents & { readonly clock: Pick<Clock, 'setTimer'> },
    init: ExternalCaInit,
  ) {
    this.#clock = components.clock;
    this.#components = components;
    this.#init = init;
  }

  /** The certificate of a node, PEM. How long it is valid, the external CA decides. */
  async issue(csrPem: string, identity: CertificateIdentity): Promise<string> {
    const { nodeId, role, clusterId } = identity;
    const unit = roleToOu(role);
    const request = {
      certificate_request: csrPem,
      hosts: [unit, nodeId],
      subject: { CN: nodeId, names: [{ OU: unit, O: clusterId }] },
    };
    return this.#sign(request, (pem) => this.#checkIssued(pem, csrPem, identity));
  }

  /** The root whose key made `csrPem`, signed by the root of this CA, PEM. */
  async crossSign(csrPem: string, rootPem: string): Promise<string> {
    const { subject } = new X509Certificate(rootPem);
    const commonName = /^CN=(.*)$/m.exec(subject)?.[1] ?? '';
    const request = {
      certificate_request: csrPem,
      hosts: [],
      subject: { CN: commonName, names: [] },
      profile: CROSS_SIGNING_PROFILE,
    };
    return this.#sign(request, (pem) => this.#checkCrossSigned(pem, rootPem));
  }

  async #sign(request: unknown, check: (pem: string) => void): Promise<string> {
    const failures: string[] = [];
    for (const url of this.#init.urls) {
      try {
        const { status, text } = await this.#post(url, request);
        const pem = certificateIn(status, text);
        check(pem);
        return pem;
      } catch (error) {
        failures.push(`${url}: ${errorMessage(error)}`);
      }
    }
    throw new SwarmError(
      'SWM_UNAVAILABLE',
      `no external CA signed the certificate: ${failures.join('; ')}`,
      {
        hint: 'See that they run, are reached from all managers, and sign for the root that "swarmctl ca" prints.',
      },
    );
  }

  #post(url: string, request: unknown) {
    const late = () => new Error(`no answer within ${TIMEOUT_MS / 1000} s`);
    return within(this.#clock, { ms: TIMEOUT_MS, late }, (signal) =>
      this.#components.post(url, request, this.#tls(), signal),
    );
  }

  /** Its server may have a certificate of the swarm's root, or of the root that it signs for. */
  #tls(): NodeFiles {
    const tls = this.#components.tls();
    return { ...tls, rootCaPem: tls.rootCaPem + this.#init.rootPem };
  }

  #checkIssued(pem: string, csrPem: string, wanted: CertificateIdentity): void {
    const certificate = new X509Certificate(pem);
    this.#checkIssuer(certificate);
    if (!certificate.publicKey.equals(createPublicKey(csrPublicKey(csrPem)))) {
      throw new Error('it signed another key than the one that was sent');
    }
    const found = identityOfCertificate(pem);
    for (const key of ['nodeId', 'role', 'clusterId'] as const) {
      if (found[key] === wanted[key]) continue;
      throw new Error(
        `it signed for ${describe(found)}, and was asked to sign for ${describe(wanted)}`,
      );
    }
  }

  #checkCrossSigned(pem: string, rootPem: string): void {
    const certificate = new X509Certificate(pem);
    const root = new X509Certificate(rootPem);
    this.#checkIssuer(certificate);
    if (!certificate.publicKey.equals(root.publicKey) || certificate.subject !== root.subject) {
      throw new Error(`it signed another root than ${root.subject}`);
    }
    if (!certificate.ca) {
      throw new Error(
        `it signed the new root as a certificate that must sign nothing; does it have a profile "${CROSS_SIGNING_PROFILE}"?`,
      );
    }
  }

  #checkIssuer(certificate: X509Certificate): void {
    if (hasSigned(this.#init.rootPem, certificate)) return;
    const root = new X509Certificate(this.#init.rootPem);
    throw new Error(
      `its certificate is of the CA ${certificate.issuer}, and not signed by the swarm's root ${root.subject} (SHA-256 ${root.fingerprint256})`,
    );
  }
}

/** The answer of CFSSL: `{ success, result: { certificate }, errors: [{ code, message }] }`. */
function certificateIn(status: number, text: string): string {
  let answer: {
    readonly success?: boolean;
    readonly result?: { readonly certificate?: string } | null;
    readonly errors?: readonly { readonly message?: string }[] | null;
  };
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Error(`HTTP status ${status}, and no JSON in the answer`);
  }
  const pem = normalizePem(String(answer?.result?.certificate ?? ''));
  const [certificate] = splitPemBundle(pem);
  if (status < 300 && answer?.success && certificate) return certificate;
  const reasons = (answer?.errors ?? []).map(({ message }) => message).filter(Boolean);
  throw new Error(`HTTP status ${status}: ${reasons.join(', ') || 'it gave no certificate'}`);
}

function describe({ nodeId, role, clusterId }: CertificateIdentity): string {
  return `CN=${nodeId}, OU=${roleToOu(role)}, O=${clusterId}`;
}
