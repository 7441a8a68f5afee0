import type { Link, LinkAddress, PeerEntries, PolicyRule, Route } from '../types.ts';
import {
  AF_BRIDGE,
  AF_INET,
  FRA,
  IFA,
  IFF_UP,
  IFLA,
  INFO,
  NDA,
  NUD_PERMANENT,
  RTA,
  RTM,
  RTN_UNICAST,
  VXLAN,
} from './constants.ts';
import {
  decodeAttributes,
  decodeText,
  ipText,
  macText,
  type NetlinkRequest,
  NLM_F_DUMP,
} from './message.ts';

/** Asks for everything of one kind; the replies go through the decoders below. */
export const dumps = {
  links: dump(RTM.GETLINK, 0, 16),
  addresses: dump(RTM.GETADDR, AF_INET, 8),
  routes: dump(RTM.GETROUTE, AF_INET, 12),
  rules: dump(RTM.GETRULE, AF_INET, 12),
  neighbours: dump(RTM.GETNEIGH, AF_INET, 12),
  fdb: dump(RTM.GETNEIGH, AF_BRIDGE, 12),
} as const;

export function decodeLink(body: Buffer): Link {
  const attributes = decodeAttributes(body.subarray(16));
  const info = decodeAttributes(attributes.get(IFLA.LINKINFO) ?? Buffer.alloc(0));
  const kind = decodeText(info.get(INFO.KIND));
  const data = decodeAttributes(info.get(INFO.DATA) ?? Buffer.alloc(0));
  const mac = attributes.get(IFLA.ADDRESS);
  return {
    index: body.readInt32LE(4),
    name: decodeText(attributes.get(IFLA.IFNAME)),
    kind,
    mac: mac ? macText(mac) : '',
    mtu: attributes.get(IFLA.MTU)?.readUInt32LE() ?? 0,
    up: (body.readUInt32LE(8) & IFF_UP) !== 0,
    master: attributes.get(IFLA.MASTER)?.readUInt32LE() ?? 0,
    vni: kind === 'vxlan' ? data.get(VXLAN.ID)?.readUInt32LE() : undefined,
  };
}

export function decodeAddress(body: Buffer, nameOf: (index: number) => string): LinkAddress {
  const attributes = decodeAttributes(body.subarray(8));
  const ip = attributes.get(IFA.LOCAL) ?? attributes.get(IFA.ADDRESS);
  return {
    dev: nameOf(body.readUInt32LE(4)),
    address: `${ip ? ipText(ip) : '0.0.0.0'}/${body.readUInt8(1)}`,
  };
}

/** Undefined for what is not a unicast route. */
export function decodeRoute(body: Buffer, nameOf: (index: number) => string): Route | undefined {
  if (body.readUInt8(7) !== RTN_UNICAST) return undefined;
  const attributes = decodeAttributes(body.subarray(12));
  const to = attributes.get(RTA.DST);
  const via = attributes.get(RTA.GATEWAY);
  const device = attributes.get(RTA.OIF);
  return {
    to: `${to ? ipText(to) : '0.0.0.0'}/${body.readUInt8(1)}`,
    via: via && ipText(via),
    dev: device ? nameOf(device.readUInt32LE()) : '',
    table: attributes.get(RTA.TABLE)?.readUInt32LE() ?? body.readUInt8(4),
  };
}

/** Undefined for rules that look at anything but a mark. */
export function decodeRule(body: Buffer): PolicyRule | undefined {
  const attributes = decodeAttributes(body.subarray(12));
  const mark = attributes.get(FRA.FWMARK)?.readUInt32LE();
  if (mark === undefined) return undefined;
  return {
    mark,
    table: attributes.get(FRA.TABLE)?.readUInt32LE() ?? body.readUInt8(4),
    priority: attributes.get(FRA.PRIORITY)?.readUInt32LE() ?? 0,
  };
}

export function decodePeerEntries(
  index: number,
  neighbours: readonly Buffer[],
  fdb: readonly Buffer[],
): PeerEntries {
  const permanent = (body: Buffer) =>
    body.readInt32LE(4) === index && (body.readUInt16LE(8) & NUD_PERMANENT) !== 0;
  const pairs = (bodies: readonly Buffer[]) =>
    bodies.filter(permanent).flatMap((body) => {
      const attributes = decodeAttributes(body.subarray(12));
      const ip = attributes.get(NDA.DST);
      const mac = attributes.get(NDA.LLADDR);
      return ip?.length === 4 && mac ? [{ ip: ipText(ip), mac: macText(mac) }] : [];
    });
  return {
    neighbours: pairs(neighbours),
    fdb: pairs(fdb).map(({ ip, mac }) => ({ mac, vtep: ip })),
  };
}

function dump(type: number, family: number, headerSize: number): NetlinkRequest {
  const body = Buffer.alloc(headerSize);
  body.writeUInt8(family, 0);
  return { type, flags: NLM_F_DUMP, body };
}
