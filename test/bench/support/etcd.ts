import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChannelCredentials, Client, credentials } from '@grpc/grpc-js';
import protobuf from 'protobufjs/minimal.js';

/** The `etcd` to measure beside ours, as Debian's package etcd-server brings it. */
const PROGRAM = process.env['ETCD'];
const MEMBERS = ['1', '2', '3'];
const READY_MS = 20_000;

/** Why there is no etcd to compare with, or undefined. */
export const noEtcd = PROGRAM ? undefined : 'no etcd: ETCD is not the path of its program';

/** Three members of etcd on loopback, with its own settings for the log and for elections. */
export class EtcdCluster {
  readonly leader: Client;
  readonly follower: Client;
  readonly #members: readonly EtcdMember[];
  readonly #folder: string;

  private constructor(folder: string, members: readonly EtcdMember[], leader: Client) {
    this.#folder = folder;
    this.#members = members;
    this.leader = leader;
    this.follower = members.find(({ client }) => client !== leader)?.client as Client;
  }

  static async up(): Promise<EtcdCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'bench-etcd-'));
    const members = MEMBERS.map((name) => new EtcdMember(folder, name));
    try {
      return new EtcdCluster(folder, members, await leaderOf(members));
    } catch (error) {
      await end(members, folder);
      throw error;
    }
  }

  async down(): Promise<void> {
    await end(this.#members, this.#folder);
  }
}

/** One `Put`; rejects when it is not done. */
export function put(client: Client, key: string, value: Uint8Array): Promise<void> {
  const request = protobuf.Writer.create().uint32(10).string(key).uint32(18).bytes(value).finish();
  return unary(client, '/etcdserverpb.KV/Put', request).then(() => undefined);
}

class EtcdMember {
  readonly client: Client;
  readonly #child: ChildProcess;

  constructor(folder: string, name: string) {
    const client = `http://127.0.0.1:${clientPort(name)}`;
    const peer = (of: string) => `http://127.0.0.1:${clientPort(of) + 1}`;
    const args = {
      name,
      'data-dir': join(folder, name),
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer(name),
      'initial-advertise-peer-urls': peer(name),
      'initial-cluster': MEMBERS.map((of) => `${of}=${peer(of)}`).join(','),
      'log-level': 'error',
    };
    const list = Object.entries(args).map(([key, value]) => `--${key}=${value}`);
    this.#child = spawn(PROGRAM as string, list, { stdio: 'ignore' });
    const insecure: ChannelCredentials = credentials.createInsecure();
    this.client = new Client(client.replace('http://', ''), insecure);
  }

  /** Whether it leads; rejects while it does not answer. */
  async leads(): Promise<boolean> {
    const status = readNumbers(await unary(this.client, '/etcdserverpb.Maintenance/Status'));
    const header = readNumbers(status.nested.get(1) ?? new Uint8Array());
    return status.numbers.get(4) !== undefined && status.numbers.get(4) === header.numbers.get(2);
  }

  async end(): Promise<void> {
    this.client.close();
    if (this.#child.exitCode !== null || !this.#child.pid) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }
}

const clientPort = (name: string) => 32_379 + 10 * Number(name);

async function leaderOf(members: readonly EtcdMember[]): Promise<Client> {
  const deadline = performance.now() + READY_MS;
  while (performance.now() < deadline) {
    for (const member of members) {
      if (await member.leads().catch(() => false)) return member.client;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`etcd has no leader after ${READY_MS / 1000} s`);
}

async function end(members: readonly EtcdMember[], folder: string): Promise<void> {
  await Promise.all(members.map((member) => member.end()));
  await rm(folder, { recursive: true, force: true });
}

function unary(
  client: Client,
  path: string,
  request: Uint8Array = new Uint8Array(),
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const same = (bytes: Buffer) => bytes;
    const deadline = Date.now() + 30_000;
    client.makeUnaryRequest(
      path,
      same,
      same,
      Buffer.from(request),
      { deadline },
      (error, answer) => (error ? reject(error) : resolve(answer as Buffer)),
    );
  });
}

/** The fields of a message that are varints, as text, and those that have a length. */
function readNumbers(bytes: Uint8Array) {
  const numbers = new Map<number, string>();
  const nested = new Map<number, Uint8Array>();
  const reader = protobuf.Reader.create(bytes);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if ((tag & 7) === 0) numbers.set(tag >>> 3, String(reader.uint64()));
    else if ((tag & 7) === 2) nested.set(tag >>> 3, reader.bytes());
    else reader.skipType(tag & 7);
  }
  return { numbers, nested };
}
