// Must come before @peculiar/x509: its container reads metadata while it loads.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

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

/** The private half of a P-256 key pair, from PKCS #8 PEM. */
export function importPrivateKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = x509.PemConverter.decodeFirst(pem);
  return crypto.subtle.importKey('pkcs8', der, KEY_ALGORITHM, false, ['sign']);
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

/** The certificates of a PEM bundle, each as PEM of its own. */
export function splitPemBundle(bundle: string): string[] {
  return bundle.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? [];
}
