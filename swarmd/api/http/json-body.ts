import type { FastifyRequest } from 'fastify';
import { badRequest } from './errors.ts';
import { JsonReader } from './json-reader.ts';
import { findJsonFault } from './json-syntax.ts';
import { upgradeBody } from './upgrade.ts';

/** Above the largest config (1000 KiB, in base 64) and any sensible spec. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** The request's JSON object. Throws SWM_INVALID_ARGUMENT with the reason. */
export async function readJson(request: FastifyRequest): Promise<JsonReader> {
  const body = await readOptionalJson(request);
  if (!body) throw badRequest('invalid JSON: got EOF while reading request body');
  return body;
}

/** The same for requests that may come without a body. */
export async function readOptionalJson(request: FastifyRequest): Promise<JsonReader | undefined> {
  const text = await readText(request);
  if (text.trim() === '') return undefined;
  checkContentType(request.headers['content-type'] ?? '');
  return new JsonReader(parseObject(text));
}

function checkContentType(header: string): void {
  const mediaType = header.split(';')[0]?.trim().toLowerCase();
  if (mediaType === 'application/json') return;
  throw badRequest(`unsupported Content-Type header (${header}): must be 'application/json'`);
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const fault = findJsonFault(text);
    if (fault.kind === 'trailing') throw badRequest('unexpected content after JSON');
    throw badRequest(
      `invalid JSON: ${fault.kind === 'syntax' ? fault.reason : (error as Error).message}`,
    );
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badRequest('invalid JSON: the request body must be an object');
  }
  return value as Record<string, unknown>;
}

async function readText(request: FastifyRequest): Promise<string> {
  const early = upgradeBody(request.raw);
  if (early) return early.toString('utf8');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.raw) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Buffer);
    size += bytes.length;
    if (size > MAX_BODY_BYTES) {
      throw badRequest(`invalid JSON: the request body is larger than ${MAX_BODY_BYTES} bytes`);
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
