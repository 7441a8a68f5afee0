// Must come before @peculiar/x509: its container reads metadata while it loads.
import 'reflect-metadata';
import { createPrivateKey, type KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { SwarmError } from '../../common/errors.ts';

x509.cryptoProvider.set(webcrypto as unknown as typeof globalThis.crypto);

const KEY_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' };
export const SIGNING_ALGORITHM = { name: 'ECDSA', hash: 'SHA-256' };

export { x509 };

export interface KeyPair {
  readonly keys: webcrypto.CryptoKeyPair;
  /** PKCS #8, PEM. */
  readonly privateKeyPem: string;
}

/** A fresh P-256 key pair. */
export async function generateKeyPair(): Promise<KeyPair> {
  const keys = await crypto.subtle.generateKey(KEY_ALGORITHM, true, ['sign', 'verify']);
  const der = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { keys, privateKeyPem: `${x509.PemConverter.encode(der, 'PRIVATE KEY')}\n` };
}

export interface SigningKey {
  readonly key: webcrypto.CryptoKey;
  readonly algorithm: { readonly name: string; readonly hash: string };
}

/** Curves as OpenSSL and as Web Crypto name them, with the digest that goes with each. */
const CURVES: Readonly<Record<string, readonly [curve: string, hash: string]>> = {
  prime256v1: ['P-256', 'SHA-256'],
  secp384r1: ['P-384', 'SHA-384'],
  secp521r1: ['P-521', 'SHA-512'],
};
const MIN_RSA_BITS = 2048;

/**
 * A private key from PEM (PKCS #8, SEC 1 or PKCS #1) that can sign certificates.
 * Throws SWM_INVALID_ARGUMENT for what is no key, is encrypted, or is of another kind than RSA of at
 * least 2048 bits and ECDSA on P-256, P-384 or P-521.
 */
export async function importSigningKey(pem: string): Promise<SigningKey> {
  const object = parsePrivateKey(pem);
  const algorithm = signingAlgorithmOf(object);
  const der = object.export({ type: 'pkcs8', format: 'der' });
  const key = await crypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
  return { key, algorithm };
}

function parsePrivateKey(pem: string): KeyObject {
  if (/ENCRYPTED/.test(pem)) throw unusableKey('is encrypted; decrypt it first');
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    throw unusableKey('is not a private key in PEM', cause);
  }
}

function signingAlgorithmOf({ asymmetricKeyType: type, asymmetricKeyDetails: details }: KeyObject) {
  const [namedCurve, hash] = CURVES[details?.namedCurve ?? ''] ?? [];
  if (type === 'ec' && namedCurve && hash) return { name: 'ECDSA', namedCurve, hash };
  if (type === 'rsa' && (details?.modulusLength ?? 0) >= MIN_RSA_BITS) {
    return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  }
  throw unusableKey(
    `is of kind ${details?.namedCurve ?? type} ${details?.modulusLength ?? ''}`.trimEnd() +
      ', and only RSA of 2048 bits or more and ECDSA on P-256, P-384 or P-521 can be used',
  );
}

function unusableKey(found: string, cause?: unknown): SwarmError {
  return new SwarmError('SWM_INVALID_ARGUMENT', `the signing CA key ${found}`, { cause });
}

export interface CertificateRequest {
  readonly csrPem: string;
  readonly privateKeyPem: string;
}

/**
 * A new key and a signing request for it. The subject stays empty: who the bearer is, the CA
 * decides.
 */
export async function createCertificateRequest(): Promise<CertificateRequest> {
  const { keys, privateKeyPem } = await generateKeyPair();
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    keys,
    signingAlgorithm: SIGNING_ALGORITHM,
  });
  return { csrPem: `${csr.toString('pem')}\n`, privateKeyPem };
}

/** A request to sign what the root `certificatePem`, whose key is `keyPem`, is already. */
export async function requestOfRoot(certificatePem: string, keyPem: string): Promise<string> {
  const root = new x509.X509Certificate(certificatePem);
  const { key: privateKey, algorithm } = await importSigningKey(keyPem);
  const publicKey = await root.publicKey.export(algorithm, ['verify']);
  const csr = await x509.Pkcs10CertificateRequestGenerator.create({
    name: root.subjectName,
    keys: { privateKey, publicKey },
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, 1, true)],
  });
  return `${csr.toString('pem')}\n`;
}

/** The certificates of a PEM bundle, each as PEM of its own. */
export function splitPemBundle(bundle: string): string[] {
  return bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];
}

/** A PEM bundle without anything but the certificates, each in the same form. */
export function normalizePem(bundle: string): string {
  return splitPemBundle(bundle.replace(/\r/g, ''))
    .map((pem) => `${pem.trim()}\n`)
    .join('');
}

/** PEM of the public key that a request is for. */
export function csrPublicKey(csrPem: string): string {
  return new x509.Pkcs10CertificateRequest(csrPem).publicKey.toString('pem');
}
