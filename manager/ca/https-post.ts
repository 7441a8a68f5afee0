import { request } from 'node:https';
import type { PostJson } from './external-ca.ts';
import type { NodeFiles } from './state-files.ts';

const MAX_ANSWER_BYTES = 1024 * 1024;

/** `PostJson` by HTTPS: the server is verified by the roots given, and shown our certificate. */
export const httpsPost: PostJson = (url, body, tls, signal) =>
  new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const outgoing = request(url, optionsOf(text, tls, signal), (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) response.destroy(new Error('the answer is above 1 MiB'));
        chunks.push(chunk);
      });
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
      });
      response.on('error', reject);
    });
    outgoing.on('error', reject);
    outgoing.end(text);
  });

function optionsOf(text: string, tls: NodeFiles, signal: AbortSignal) {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
    // A connection of its own: certificate and roots may be others the next time.
    agent: false,
    signal,
    ca: tls.rootCaPem,
    cert: tls.certificatePem,
    key: tls.keyPem,
  } as const;
}
