import { X509Certificate } from 'node:crypto';
import { splitPemBundle, x509 } from './x509.ts';

/** Who signs, or has signed: what `docker node inspect` shows of a certificate's issuer. */
export interface Issuer {
  /** Distinguished name, DER. */
  readonly subject: Buffer;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
}

/** What the certificates that the first root of `rootPem` signs have as their issuer. */
export function issuerOfRoot(rootPem: string): Issuer {
  const root = new x509.X509Certificate(splitPemBundle(rootPem)[0] ?? rootPem);
  return {
    subject: Buffer.from(root.subjectName.toArrayBuffer()),
    publicKey: Buffer.from(root.publicKey.rawData),
  };
}

/**
 * Who signed the first certificate of `chainPem`: one of the rest of the chain or of `rootsPem`.
 * Undefined when none of them did.
 */
export function issuerOfChain(chainPem: string, rootsPem: string): Issuer | undefined {
  const [leafPem = '', ...rest] = splitPemBundle(chainPem);
  const leaf = new X509Certificate(leafPem);
  const signer = [...rest, ...splitPemBundle(rootsPem)].find((pem) => hasSigned(pem, leaf));
  return signer === undefined ? undefined : issuerOfRoot(signer);
}

export function sameIssuer(a: Issuer, b: Issuer): boolean {
  return a.subject.equals(b.subject) && a.publicKey.equals(b.publicKey);
}

/** Looks at name, key and signature; validity in time is not looked at. */
export function hasSigned(issuerPem: string, certificate: X509Certificate): boolean {
  const issuer = new X509Certificate(issuerPem);
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}
