import packet, { type Answer, type DecodedPacket, type OptAnswer, type Question } from 'dns-packet';

export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, REFUSED: 5 } as const;

/** What a client without EDNS takes over UDP. */
const UDP_SIZE_MIN = 512;
const UDP_SIZE_MAX = 4096;

export interface Query {
  readonly id: number;
  readonly question: Question;
  /** Bytes that the client takes in one UDP answer. */
  readonly udpSize: number;
  readonly recursionDesired: boolean;
}

/** Undefined for what is not a query with one question; such a thing gets no answer. */
export function parseQuery(data: Buffer): Query | undefined {
  let decoded: DecodedPacket;
  try {
    decoded = packet.decode(data);
  } catch {
    return undefined;
  }
  const [question] = decoded.questions ?? [];
  if (decoded.type !== 'query' || !question) return undefined;
  const edns = decoded.additionals?.find((entry) => entry.type === 'OPT') as OptAnswer | undefined;
  const asked = edns?.udpPayloadSize ?? UDP_SIZE_MIN;
  return {
    id: decoded.id ?? 0,
    question,
    udpSize: Math.min(Math.max(asked, UDP_SIZE_MIN), UDP_SIZE_MAX),
    recursionDesired: decoded.flag_rd,
  };
}

export function encodeAnswer(query: Query, answers: readonly Answer[]): Buffer {
  return encode(query, RCODE.NOERROR, packet.AUTHORITATIVE_ANSWER, answers);
}

export function encodeError(query: Query, rcode: number): Buffer {
  return encode(query, rcode, 0, []);
}

/** As much of an answer as fits; the flag tells the client to ask again over TCP. */
export function encodeForUdp(query: Query, answers: readonly Answer[]): Buffer {
  const whole = encodeAnswer(query, answers);
  if (whole.length <= query.udpSize) return whole;
  const flags = packet.AUTHORITATIVE_ANSWER | packet.TRUNCATED_RESPONSE;
  let count = answers.length;
  for (;;) {
    count = Math.floor(count / 2);
    const part = encode(query, RCODE.NOERROR, flags, answers.slice(0, count));
    if (part.length <= query.udpSize || count === 0) return part;
  }
}

/** A foreign answer that is longer than the client takes becomes an empty, truncated one. */
export function fitForwarded(query: Query, answer: Buffer): Buffer {
  return answer.length <= query.udpSize
    ? answer
    : encode(query, RCODE.NOERROR, packet.TRUNCATED_RESPONSE, []);
}

function encode(query: Query, rcode: number, flags: number, answers: readonly Answer[]): Buffer {
  const recursion = query.recursionDesired ? packet.RECURSION_DESIRED : 0;
  return packet.encode({
    type: 'response',
    id: query.id,
    // The response code is the low four bits of the flags.
    flags: packet.RECURSION_AVAILABLE | recursion | flags | rcode,
    questions: [query.question],
    answers: [...answers],
  });
}
