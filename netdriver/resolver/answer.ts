import type { Answer, Question, RecordType } from 'dns-packet';
import { type Random, shuffled } from '../../common/random.ts';
import { isIp } from '../ipv4.ts';
import type { NameTable } from './name-table.ts';

/** Seconds. A virtual address stays; what leads to a task may be somewhere else in a moment. */
const STABLE_TTL = 600;
const TASK_TTL = 5;

export type Resolution =
  /** NOERROR, perhaps with nothing in it: the name exists, but not as this type. */
  | { kind: 'answer'; answers: readonly Answer[] }
  /** Not a name of ours. */
  | { kind: 'forward' };

const FORWARD: Resolution = { kind: 'forward' };

export interface ResolveInit {
  /** The container's networks, in the order they are searched. */
  readonly tables: readonly NameTable[];
  readonly random: Random;
  /** Names without a dot are never asked of others: the user set `ndots` above zero. */
  readonly keepSingleLabels: boolean;
}

/** The answer to one question from what this container can see. */
export function resolveQuestion(question: Question, init: ResolveInit): Resolution {
  if (question.class !== undefined && question.class !== 'IN') return FORWARD;
  const name = question.name.toLowerCase().replace(/\.$/, '');
  if (question.type === 'PTR') return resolvePointer(question.name, name, init.tables);
  if (question.type === 'SRV') return resolveService(question.name, name, init);
  const found = lookUp(name, init.tables);
  if (found) return { kind: 'answer', answers: addressRecords(question, found, init.random) };
  const isAddress = question.type === 'A' || question.type === 'AAAA';
  if (isAddress && init.keepSingleLabels && !name.includes('.')) {
    return { kind: 'answer', answers: [] };
  }
  return FORWARD;
}

interface Found {
  readonly addresses: readonly string[];
  readonly stable: boolean;
}

/** First as it is in every network, then with the name of a network at its end cut off. */
function lookUp(name: string, tables: readonly NameTable[]): Found | undefined {
  for (const table of tables) {
    const found = lookUpIn(table, name);
    if (found) return found;
  }
  for (const table of tables) {
    const short = withoutNetwork(name, table);
    const found = short ? lookUpIn(table, short) : undefined;
    if (found) return found;
  }
  return undefined;
}

function lookUpIn(table: NameTable, name: string): Found | undefined {
  const addresses = table.addresses.get(name);
  return addresses && { addresses, stable: table.stable.has(name) };
}

function withoutNetwork(name: string, table: NameTable): string {
  const suffix = `.${table.network.toLowerCase()}`;
  return name.endsWith(suffix) ? name.slice(0, -suffix.length) : '';
}

/** Networks are IPv4, so every other type of a known name is empty, and is not asked of others. */
function addressRecords(question: Question, found: Found, random: Random): Answer[] {
  if (question.type !== 'A') return [];
  const ttl = found.stable ? STABLE_TTL : TASK_TTL;
  return shuffled(random, found.addresses).map((data) => record(question.name, 'A', ttl, data));
}

function resolvePointer(asked: string, name: string, tables: readonly NameTable[]): Resolution {
  const match = /^(\d+)\.(\d+)\.(\d+)\.(\d+)\.in-addr\.arpa$/.exec(name);
  const ip = match?.slice(1).reverse().join('.') ?? '';
  if (!isIp(ip)) return FORWARD;
  for (const table of tables) {
    const target = table.pointers.get(ip);
    if (target) {
      return { kind: 'answer', answers: [record(asked, 'PTR', TASK_TTL, target)] };
    }
  }
  return FORWARD;
}

/**
 * `_http._tcp.web` finds the published port that is named http, `_80._tcp.web` needs no name: one
 * record for each task, with the tasks' addresses to be asked for under the target's name.
 */
function resolveService(asked: string, name: string, init: ResolveInit): Resolution {
  const match = /^_([^.]+)\._(tcp|udp|sctp)\.(.+)$/.exec(name);
  if (!match) return lookUp(name, init.tables) ? { kind: 'answer', answers: [] } : FORWARD;
  const [, label = '', protocol = '', service = ''] = match;
  for (const table of init.tables) {
    for (const candidate of [service, withoutNetwork(service, table)]) {
      if (!candidate || !table.addresses.has(candidate)) continue;
      const named = table.ports.get(`_${label}._${protocol}.${candidate}`) ?? [];
      const numbered = /^\d+$/.test(label)
        ? (table.tasks.get(candidate) ?? []).map((target) => ({ target, port: Number(label) }))
        : [];
      const answers = shuffled(init.random, named.length > 0 ? named : numbered).map(
        ({ target, port }) =>
          record(asked, 'SRV', TASK_TTL, {
            priority: 0,
            weight: 1,
            port,
            target: `${target}.${table.network}`,
          }),
      );
      return { kind: 'answer', answers };
    }
  }
  return FORWARD;
}

function record(name: string, type: RecordType, ttl: number, data: unknown): Answer {
  return { name, type, ttl, class: 'IN', data } as Answer;
}
