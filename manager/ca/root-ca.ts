import { createHash, X509Certificate } from 'node:crypto';
import { SwarmError } from '../../common/errors.ts';
import type { CertificateIdentity } from '../types.ts';
import { roleToOu } from './identity.ts';
import { hasSigned } from './issuer.ts';
import {
  generateKeyPair,
  importSigningKey,
  SIGNING_ALGORITHM,
  type SigningKey,
  splitPemBundle,
  x509,
} from './x509.ts';

const HOUR_MS = 3_600_000;
const ROOT_COMMON_NAME = 'swarm-ca';
const ROOT_VALIDITY_MS = 630_720_000_000; // 20 years
/** Certificates begin in the past, so that a clock that lags a little accepts them. */
export const BACKDATE_MS = HOUR_MS;
export const DEFAULT_CERTIFICATE_VALIDITY_MS = 2160 * HOUR_MS; // 90 days
export const MIN_CERTIFICATE_VALIDITY_MS = HOUR_MS;

export interface IssueRequest {
  /** PEM. Only its public key counts, and its signature, which proves that the key is held. */
  readonly csrPem: string;
  readonly identity: CertificateIdentity;
  readonly validityMs: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * The trusted roots of a cluster and, on managers, the key that signs for them. The certificate may
 * be a bundle of several while roots are rotated; the first is the one that signs.
 */
export class RootCa {
  readonly certificatePem: string;
  readonly #keyPem: string | undefined;
  #signer: Promise<SigningKey & { certificate: x509.X509Certificate }> | undefined;

  /** Throws SWM_INVALID_ARGUMENT when `certificatePem` holds no certificate. */
  constructor(certificatePem: string, keyPem?: string) {
    if (splitPemBundle(certificatePem).length === 0) {
      throw new SwarmError('SWM_INVALID_ARGUMENT', 'no certificate in the root CA bundle');
    }
    this.certificatePem = certificatePem;
    this.#keyPem = keyPem;
  }

  /** PEM of the signing key; undefined on nodes that only verify. */
  get keyPem(): string | undefined {
    return this.#keyPem;
  }

  /** SHA-256 of the DER form of the first root, which join tokens carry. */
  get digest(): Buffer {
    return certificateDigest(this.certificatePem);
  }

  /** True when one of the roots signed `certificatePem`. Validity in time is not looked at. */
  signed(certificatePem: string): boolean {
    const certificate = new X509Certificate(certificatePem);
    return splitPemBundle(this.certificatePem).some((pem) => hasSigned(pem, certificate));
  }

  /**
   * Signs a node certificate and returns it as PEM.
   * Throws SWM_INVALID_ARGUMENT when the request is malformed or not signed by its own key, and
   * SWM_FAILED_PRECONDITION without a signing key.
   */
  async issue(request: IssueRequest): Promise<string> {
    const { certificate: issuer, key, algorithm } = await this.#loadSigner();
    const csr = await parseRequest(request.csrPem);
    const { nodeId, role, clusterId } = request.identity;
    const unit = roleToOu(role);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: [{ CN: [nodeId] }, { OU: [unit] }, { O: [clusterId] }],
      issuer: issuer.subjectName,
      publicKey: csr.publicKey,
      signingKey: key,
      signingAlgorithm: algorithm,
      notBefore: new Date(request.now - BACKDATE_MS),
      notAfter: new Date(request.now + request.validityMs),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment,
          true,
        ),
        new x509.ExtendedKeyUsageExtension([
          x509.ExtendedKeyUsage.serverAuth,
          x509.ExtendedKeyUsage.clientAuth,
        ]),
        new x509.SubjectAlternativeNameExtension([
          { type: 'dns', value: unit },
          { type: 'dns', value: nodeId },
        ]),
        await x509.SubjectKeyIdentifierExtension.create(csr.publicKey),
        new x509.AuthorityKeyIdentifierExtension(await keyIdentifierOf(issuer)),
      ],
    });
    return `${certificate.toString('pem')}\n`;
  }

  /**
   * The root `otherPem` as this root vouches for it: with its name and key, but issued by this one.
   * Who trusts only this root accepts what the other signs, when it comes along. PEM.
   * Throws SWM_FAILED_PRECONDITION without a signing key.
   */
  async crossSign(otherPem: string, now: number): Promise<string> {
    const { certificate: issuer, key, algorithm } = await this.#loadSigner();
    const other = new x509.X509Certificate(otherPem);
    const certificate = await x509.X509CertificateGenerator.create({
      subject: other.subjectName,
      issuer: issuer.subjectName,
      publicKey: other.publicKey,
      signingKey: key,
      signingAlgorithm: algorithm,
      notBefore: new Date(now - BACKDATE_MS),
      notAfter: earlier(other.notAfter, issuer.notAfter),
      extensions: [
        ...authorityExtensions(await keyIdentifierOf(other)),
        new x509.AuthorityKeyIdentifierExtension(await keyIdentifierOf(issuer)),
      ],
    });
    return `${certificate.toString('pem')}\n`;
  }

  #loadSigner() {
    const keyPem = this.#keyPem;
    if (!keyPem) {
      throw new SwarmError(
        'SWM_FAILED_PRECONDITION',
        'this node holds no key of the root CA and cannot sign certificates',
      );
    }
    const certificate = new x509.X509Certificate(splitPemBundle(this.certificatePem)[0] as string);
    this.#signer ??= importSigningKey(keyPem).then((signing) => ({ ...signing, certificate }));
    return this.#signer;
  }
}

/** A new self-signed root (P-256, 20 years) with its key. `now` is in milliseconds since the epoch. */
export async function createRootCa(now: number): Promise<RootCa> {
  const { keys, privateKeyPem } = await generateKeyPair();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [ROOT_COMMON_NAME] }],
    keys,
    signingAlgorithm: SIGNING_ALGORITHM,
    notBefore: new Date(now - BACKDATE_MS),
    notAfter: new Date(now + ROOT_VALIDITY_MS),
    extensions: authorityExtensions(
      (await x509.SubjectKeyIdentifierExtension.create(keys.publicKey)).keyId,
    ),
  });
  return new RootCa(`${certificate.toString('pem')}\n`, privateKeyPem);
}

/** One intermediate below it, which is a root that it signed for a rotation. */
function authorityExtensions(keyIdentifier: string): x509.Extension[] {
  return [
    new x509.BasicConstraintsExtension(true, 1, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    new x509.SubjectKeyIdentifierExtension(keyIdentifier),
  ];
}

/** Hexadecimal. There are several ways to compute it: what the certificate says itself counts. */
async function keyIdentifierOf(certificate: x509.X509Certificate): Promise<string> {
  const own = certificate.getExtension(x509.SubjectKeyIdentifierExtension)?.keyId;
  return own ?? (await x509.SubjectKeyIdentifierExtension.create(certificate.publicKey)).keyId;
}

function earlier(a: Date, b: Date): Date {
  return a < b ? a : b;
}

/** SHA-256 of the DER form of the first certificate in a PEM bundle. */
export function certificateDigest(pem: string): Buffer {
  return createHash('sha256').update(new X509Certificate(pem).raw).digest();
}

/** Throws SWM_INVALID_ARGUMENT unless `pem` is a request that is signed by its own key. */
export async function parseRequest(pem: string): Promise<x509.Pkcs10CertificateRequest> {
  const malformed = (cause?: unknown) =>
    new SwarmError('SWM_INVALID_ARGUMENT', 'the certificate signing request is malformed', {
      cause,
    });
  let csr: x509.Pkcs10CertificateRequest;
  let genuine: boolean;
  try {
    csr = new x509.Pkcs10CertificateRequest(pem);
    genuine = await csr.verify();
  } catch (error) {
    throw malformed(error);
  }
  if (!genuine) throw malformed();
  return csr;
}
