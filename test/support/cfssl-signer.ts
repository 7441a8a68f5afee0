import { once } from 'node:events';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { parseRequest, type RootCa } from '../../manager/ca/root-ca.ts';
import {
  createCertificateRequest,
  importSigningKey,
  splitPemBundle,
  x509,
} from '../../manager/ca/x509.ts';
import { onEnd } from './cleanup.ts';
import { LOOPBACK } from './loopback.ts';

export interface SignRequest {
  readonly certificate_request: string;
  readonly hosts: readonly string[];
  readonly subject: { readonly CN: string; readonly names: readonly Record<string, string>[] };
  readonly profile?: string;
}

type Answer = { readonly status?: number; readonly body: unknown };

/** A CA with the signing endpoint of CFSSL, for a root that is given. */
export class CfsslSigner {
  readonly requests: SignRequest[] = [];
  /** Common names that clients showed certificates of. */
  readonly clients: string[] = [];
  /** Answers instead of a signature, as long as it is set. */
  override: ((request: SignRequest) => Answer | Promise<Answer>) | undefined;
  readonly #root: RootCa;
  readonly #server: Server;

  readonly #host: string;

  private constructor(root: RootCa, server: Server, host: string) {
    this.#root = root;
    this.#server = server;
    this.#host = host;
  }

  /** On loopback, until the test ends. */
  static async start(
    t: TestContext,
    root: RootCa,
    clientRootsPem = root.certificatePem,
  ): Promise<CfsslSigner> {
    const signer = await CfsslSigner.listen(root, { clientRootsPem, host: LOOPBACK, port: 0 });
    onEnd(t, () => signer.close());
    return signer;
  }

  /** Its own certificate is signed by `root`; those of its clients must be of `clientRootsPem`. */
  static async listen(
    root: RootCa,
    { clientRootsPem, host, port }: { clientRootsPem: string; host: string; port: number },
  ): Promise<CfsslSigner> {
    const { csrPem, privateKeyPem } = await createCertificateRequest();
    const names = [{ type: 'ip' as const, value: host }];
    const certificate = await sign(root, csrPem, 'CN=signer', [
      new x509.SubjectAlternativeNameExtension(names),
    ]);
    const options = {
      cert: certificate,
      key: privateKeyPem,
      ca: clientRootsPem,
      requestCert: true,
      rejectUnauthorized: true,
    };
    const server = createServer(options, async (request, response) => {
      const { socket } = request;
      signer.clients.push(String((socket as TLSSocket).getPeerCertificate().subject.CN));
      const { status = 200, body } = await signer.#answer(await text(request));
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
    const signer = new CfsslSigner(root, server, host);
    server.listen(port, host);
    await once(server, 'listening');
    return signer;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `https://${this.#host}:${port}/api/v1/cfssl/sign`;
  }

  async #answer(body: string): Promise<Answer> {
    const request = JSON.parse(body) as SignRequest;
    this.requests.push(request);
    if (this.override) return this.override(request);
    return { body: success(await this.sign(request)) };
  }

  async sign({ certificate_request, hosts, subject, profile }: SignRequest): Promise<string> {
    const rdns = subject.names.flatMap((name) => Object.entries(name));
    const name = [`CN=${subject.CN}`, ...rdns.map(([key, value]) => `${key}=${value}`)].join(', ');
    if (profile === 'CA') {
      return sign(this.#root, certificate_request, name, [
        new x509.BasicConstraintsExtension(true, 1, true),
      ]);
    }
    const names = hosts.map((value) => ({ type: 'dns' as const, value }));
    return sign(this.#root, certificate_request, name, [
      new x509.BasicConstraintsExtension(false),
      new x509.SubjectAlternativeNameExtension(names),
    ]);
  }
}

export function success(certificate: string): unknown {
  return { success: true, result: { certificate }, errors: [], messages: [] };
}

export function failure(message: string): unknown {
  return { success: false, result: null, errors: [{ code: 5100, message }], messages: [] };
}

async function sign(
  root: RootCa,
  csrPem: string,
  subject: string,
  extensions: x509.Extension[],
): Promise<string> {
  const csr = await parseRequest(csrPem);
  const issuer = new x509.X509Certificate(splitPemBundle(root.certificatePem)[0] as string);
  const { key, algorithm } = await importSigningKey(root.keyPem ?? '');
  const certificate = await x509.X509CertificateGenerator.create({
    subject,
    issuer: issuer.subjectName,
    publicKey: csr.publicKey,
    signingKey: key,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    extensions: [
      ...extensions,
      await x509.SubjectKeyIdentifierExtension.create(csr.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}
