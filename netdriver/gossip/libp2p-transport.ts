import './polyfill.ts';
import { setMaxListeners } from 'node:events';
import { type GossipSub, gossipsub } from '@chainsafe/libp2p-gossipsub';
import { noise } from '@chainsafe/libp2p-noise';
import { identify } from '@libp2p/identify';
import type { Connection, PeerId, Stream } from '@libp2p/interface';
import { peerIdFromString } from '@libp2p/peer-id';
import { tcp } from '@libp2p/tcp';
import { lpStream } from '@libp2p/utils';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p, type Libp2p } from 'libp2p';
import type { Clock, Timer } from '../../common/clock.ts';
import { errorMessage } from '../../common/errors.ts';
import { cannotListen } from '../../common/listen-error.ts';
import type { Logger } from '../../common/logger.ts';
import type { Random } from '../../common/random.ts';
import type { GossipPeer } from '../../proto/gen/swarm/dispatcher.ts';
import type { SwarmIdentity } from '../types.ts';
import { RECONNECT_MAX_MS, RECONNECT_MIN_MS, SYNC_BYTES_MAX } from './constants.ts';
import { muxer } from './muxer.ts';
import { gossipPrivateKey } from './peer-id.ts';
import { peersToDial } from './peers-to-dial.ts';
import type { GossipTransport, RequestProtocol, TransportHandlers } from './transport.ts';

const PROTOCOLS: readonly RequestProtocol[] = ['/swarm/probe/1', '/swarm/sync/1'];
const DIAL_TIMEOUT_MS = 5_000;
/** The node with the greater id waits this long for the other to dial, so that one connection comes. */
const DIAL_YIELD_MS = 2_000;
/** Hosts of a test, or nodes behind one NAT, share an address: no limit of libp2p's per address. */
const UNLIMITED = 10_000;

type Services = { pubsub: GossipSub; identify: unknown };

interface Peer {
  readonly nodeId: string;
  readonly id: PeerId;
  readonly addr: string;
  nextDialAt: number;
  backoffMs: number;
  dialing: boolean;
}

/** Gossip over libp2p: TCP, noise, yamux, gossipsub, and one stream per request. */
export class Libp2pTransport implements GossipTransport {
  private readonly clock: Clock;
  private readonly random: Random;
  private readonly logger: Logger;
  private readonly identity: SwarmIdentity;
  private readonly peers = new Map<string, Peer>(); // by node id
  private readonly nodeIds = new Map<string, string>(); // by peer id
  private readonly abort = new AbortController();
  private node: Libp2p<Services> | undefined;
  private timer: Timer | undefined;

  constructor(
    components: { clock: Clock; random: Random; logger: Logger },
    init: { identity: SwarmIdentity },
  ) {
    this.clock = components.clock;
    this.random = components.random;
    this.logger = components.logger;
    this.identity = init.identity;
    // One per dial and per request under way.
    setMaxListeners(0, this.abort.signal);
  }

  /** Throws SWM_FAILED_PRECONDITION when port 7946 is taken. */
  async start(handlers: TransportHandlers): Promise<void> {
    this.node = await this.createNode();
    this.node.services.pubsub.addEventListener('message', (event) => {
      const message = event.detail;
      const from = message.type === 'signed' ? this.nodeIdOf(message.from) : undefined;
      if (from !== undefined)
        guard(this.logger, () => handlers.message(message.topic, from, message.data));
    });
    for (const protocol of PROTOCOLS) {
      await this.node.handle(
        protocol,
        (stream, connection) => this.answer(handlers, protocol, stream, connection),
        { maxInboundStreams: UNLIMITED, maxOutboundStreams: UNLIMITED },
      );
    }
    this.node.addEventListener('peer:connect', (event) => {
      const nodeId = this.nodeIdOf(event.detail);
      if (nodeId !== undefined) handlers.connected(nodeId);
    });
    this.node.addEventListener('peer:disconnect', (event) => {
      const nodeId = this.nodeIdOf(event.detail);
      if (nodeId !== undefined) handlers.disconnected(nodeId);
    });
    this.scheduleDials();
  }

  async stop(): Promise<void> {
    this.timer?.cancel();
    this.abort.abort(new Error('the gossip transport stopped'));
    await this.node?.stop();
    this.node = undefined;
  }

  setPeers(peers: readonly GossipPeer[]): void {
    const wanted = new Map(peers.filter((p) => p.peerId !== '').map((peer) => [peer.nodeId, peer]));
    for (const [nodeId, peer] of this.peers) {
      const now = wanted.get(nodeId);
      if (now?.peerId === peer.id.toString() && now.addr === peer.addr) continue;
      this.peers.delete(nodeId);
      this.nodeIds.delete(peer.id.toString());
      if (!now) this.node?.hangUp(peer.id).catch(() => undefined);
    }
    for (const peer of wanted.values()) {
      if (!this.peers.has(peer.nodeId)) this.addPeer(peer);
    }
    this.dialDue();
  }

  isConnected(nodeId: string): boolean {
    const peer = this.peers.get(nodeId);
    return peer !== undefined && this.connectionTo(peer) !== undefined;
  }

  disconnect(nodeId: string): void {
    const peer = this.peers.get(nodeId);
    if (!peer) return;
    for (const connection of this.node?.getConnections(peer.id) ?? []) {
      connection.abort(new Error('declared dead'));
    }
  }

  subscribe(topic: string): void {
    this.node?.services.pubsub.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.node?.services.pubsub.unsubscribe(topic);
  }

  publish(topic: string, data: Uint8Array): void {
    this.node?.services.pubsub.publish(topic, data).catch((error: unknown) => {
      this.logger.debug({ topic, error: errorMessage(error) }, 'publish failed');
    });
  }

  async request(
    nodeId: string,
    protocol: RequestProtocol,
    data: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    const peer = this.peers.get(nodeId);
    if (!peer || !this.node) throw new Error(`node ${nodeId} is not a peer`);
    const connection = this.connectionTo(peer) ?? (await this.dial(peer, signal));
    const stream = await connection.newStream(protocol, {
      signal,
      maxOutboundStreams: UNLIMITED,
    });
    try {
      const messages = lpStream(stream, { maxDataLength: SYNC_BYTES_MAX });
      await messages.write(data, { signal });
      return (await messages.read({ signal })).subarray();
    } finally {
      stream.close().catch((error: unknown) => stream.abort(error as Error));
    }
  }

  private async createNode(): Promise<Libp2p<Services>> {
    const [host, port] = splitHostPort(this.identity.gossipListen);
    const deny = (peerId: PeerId) => !this.nodeIds.has(peerId.toString());
    try {
      return await createLibp2p<Services>({
        privateKey: gossipPrivateKey(this.identity.gossipKey),
        addresses: {
          listen: [toMultiaddr(host, port)],
          announce: [toMultiaddr(this.identity.advertiseAddr, port)],
        },
        transports: [tcp()],
        connectionEncrypters: [noise()],
        streamMuxers: [muxer()],
        connectionGater: {
          denyDialPeer: deny,
          denyInboundEncryptedConnection: deny,
          denyOutboundEncryptedConnection: deny,
          denyDialMultiaddr: () => false,
        },
        connectionManager: {
          maxConnections: UNLIMITED,
          inboundConnectionThreshold: UNLIMITED,
          maxIncomingPendingConnections: UNLIMITED,
          dialTimeout: DIAL_TIMEOUT_MS,
          reconnectRetries: 0,
        },
        // Our own probes find what is dead, faster than the ten-second pings of the monitor.
        connectionMonitor: { enabled: false },
        services: {
          identify: identify(),
          pubsub: gossipsub({
            allowPublishToZeroTopicPeers: true,
            fallbackToFloodsub: false,
            doPX: false,
            emitSelf: false,
            // More than ten peers behind one address would be taken for a Sybil attack.
            scoreParams: { IPColocationFactorWeight: 0 },
          }) as never,
        },
      });
    } catch (error) {
      const failure = {
        who: 'gossip',
        option: '--listen-addr',
        suspect: 'is Docker in swarm mode on this machine?',
      };
      throw cannotListen(this.identity.gossipListen, error, failure);
    }
  }

  private async answer(
    handlers: TransportHandlers,
    protocol: RequestProtocol,
    stream: Stream,
    connection: Connection,
  ): Promise<void> {
    const from = this.nodeIdOf(connection.remotePeer);
    try {
      if (from === undefined) throw new Error('not a member');
      const messages = lpStream(stream, { maxDataLength: SYNC_BYTES_MAX });
      const { signal } = this.abort;
      const request = (await messages.read({ signal })).subarray();
      await messages.write(await handlers.request(protocol, from, request), { signal });
      await stream.close({ signal });
    } catch (error) {
      stream.abort(error as Error);
      this.logger.debug({ protocol, from, error: errorMessage(error) }, 'request not answered');
    }
  }

  private addPeer(peer: GossipPeer): void {
    const yields = this.identity.nodeId > peer.nodeId ? DIAL_YIELD_MS : 0;
    this.peers.set(peer.nodeId, {
      nodeId: peer.nodeId,
      id: peerIdFromString(peer.peerId),
      addr: peer.addr,
      nextDialAt: this.clock.monotonic() + yields,
      backoffMs: RECONNECT_MIN_MS,
      dialing: false,
    });
    this.nodeIds.set(peer.peerId, peer.nodeId);
  }

  private scheduleDials(): void {
    this.timer = this.clock.setTimer(RECONNECT_MIN_MS, () => {
      this.dialDue();
      this.scheduleDials();
    });
  }

  private dialDue(): void {
    const now = this.clock.monotonic();
    for (const nodeId of peersToDial(this.identity.nodeId, [...this.peers.keys()])) {
      const peer = this.peers.get(nodeId);
      if (!peer || peer.dialing || peer.nextDialAt > now || this.connectionTo(peer)) continue;
      this.dial(peer, this.abort.signal).catch((error: unknown) => {
        this.logger.debug({ nodeId, error: errorMessage(error) }, 'gossip peer not reached');
      });
    }
  }

  private async dial(peer: Peer, signal: AbortSignal): Promise<Connection> {
    if (!this.node) throw new Error('the gossip transport is not started');
    peer.dialing = true;
    try {
      const [host, port] = splitHostPort(peer.addr);
      const address = multiaddr(`${toMultiaddr(host, port)}/p2p/${peer.id.toString()}`);
      const connection = await this.node.dial(address, { signal });
      peer.backoffMs = RECONNECT_MIN_MS;
      return connection;
    } catch (error) {
      const jitter = 0.5 + this.random.float();
      peer.nextDialAt = this.clock.monotonic() + peer.backoffMs * jitter;
      peer.backoffMs = Math.min(RECONNECT_MAX_MS, peer.backoffMs * 2);
      throw error;
    } finally {
      peer.dialing = false;
    }
  }

  private connectionTo(peer: Peer): Connection | undefined {
    return this.node?.getConnections(peer.id).find((connection) => connection.status === 'open');
  }

  private nodeIdOf(peerId: PeerId): string | undefined {
    return this.nodeIds.get(peerId.toString());
  }
}

function guard(logger: Logger, run: () => void): void {
  try {
    run();
  } catch (error) {
    logger.warn({ error: errorMessage(error) }, 'a gossip message could not be read');
  }
}

function splitHostPort(addr: string): [string, number] {
  const colon = addr.lastIndexOf(':');
  return [addr.slice(0, colon).replace(/^\[|\]$/g, ''), Number(addr.slice(colon + 1))];
}

function toMultiaddr(host: string, port: number): string {
  return `/${host.includes(':') ? 'ip6' : 'ip4'}/${host}/tcp/${port}`;
}
