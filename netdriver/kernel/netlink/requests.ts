import type { LinkOp } from '../types.ts';
import {
  ACT_TO_TABLE,
  AF_BRIDGE,
  AF_INET,
  AF_UNSPEC,
  BRPORT,
  FRA,
  IFA,
  IFF_UP,
  IFLA,
  INFO,
  NDA,
  NTF_SELF,
  NUD_PERMANENT,
  RTA,
  RTAX_MTU,
  RTM,
  RTN_UNICAST,
  RTPROT_STATIC,
  SCOPE_LINK,
  SCOPE_UNIVERSE,
  TABLE_MAIN,
  TABLE_UNSPEC,
  VETH_PEER,
  VXLAN,
} from './constants.ts';
import {
  attribute,
  ipBytes,
  macBytes,
  type NetlinkRequest,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  nested,
  text,
  u8,
  u16be,
  u32,
} from './message.ts';

/** What the encoder must look up in the namespace that the request goes to. */
export interface Lookup {
  index(device: string): number;
  /** An open descriptor of another namespace, valid until the requests have been sent. */
  netns(name: string): number;
}

const CREATE = NLM_F_CREATE | NLM_F_EXCL;
const REPLACE = NLM_F_CREATE | NLM_F_REPLACE;

/** The requests for one operation; the next one's lookups see the results of those before. */
export function* requestsOf(op: LinkOp, lookup: Lookup): Generator<NetlinkRequest> {
  switch (op.op) {
    case 'add-bridge':
      yield link(RTM.NEWLINK, CREATE, 0, true, [
        attribute(IFLA.IFNAME, text(op.name)),
        ...(op.mac ? [attribute(IFLA.ADDRESS, macBytes(op.mac))] : []),
        nested(IFLA.LINKINFO, attribute(INFO.KIND, text('bridge'))),
      ]);
      return;
    case 'add-veth':
      yield* addVeth(op, lookup);
      return;
    case 'add-vxlan':
      yield addVxlan(op, lookup);
      return;
    case 'set-link':
      yield link(RTM.NEWLINK, 0, lookup.index(op.name), op.up, [
        ...(op.mtu ? [attribute(IFLA.MTU, u32(op.mtu))] : []),
        ...(op.master ? [attribute(IFLA.MASTER, u32(lookup.index(op.master)))] : []),
      ]);
      return;
    case 'add-address':
      yield address(RTM.NEWADDR, CREATE, op, lookup);
      return;
    case 'del-address':
      yield address(RTM.DELADDR, 0, op, lookup);
      return;
    case 'set-route':
      yield route(RTM.NEWROUTE, REPLACE, op, lookup);
      return;
    case 'del-route':
      yield route(RTM.DELROUTE, 0, op, lookup);
      return;
    case 'set-neighbour':
      yield neighbour(RTM.NEWNEIGH, REPLACE, AF_INET, lookup.index(op.dev), 0, [
        attribute(NDA.DST, ipBytes(op.ip)),
        attribute(NDA.LLADDR, macBytes(op.mac)),
      ]);
      return;
    case 'del-neighbour':
      yield neighbour(RTM.DELNEIGH, 0, AF_INET, lookup.index(op.dev), 0, [
        attribute(NDA.DST, ipBytes(op.ip)),
      ]);
      return;
    case 'set-fdb':
      yield fdb(RTM.NEWNEIGH, REPLACE, op, lookup);
      return;
    case 'del-fdb':
      yield fdb(RTM.DELNEIGH, 0, op, lookup);
      return;
    case 'add-rule':
      yield rule(RTM.NEWRULE, CREATE, op);
      return;
    case 'del-rule':
      yield rule(RTM.DELRULE, 0, op);
      return;
  }
}

export function deleteLinkRequest(index: number): NetlinkRequest {
  return link(RTM.DELLINK, 0, index, undefined, []);
}

function* addVeth(op: LinkOp & { op: 'add-veth' }, lookup: Lookup): Generator<NetlinkRequest> {
  const peer = Buffer.concat([
    ifinfo(AF_UNSPEC, 0, undefined),
    attribute(IFLA.IFNAME, text(op.peer.name)),
    attribute(IFLA.ADDRESS, macBytes(op.peer.mac)),
    attribute(IFLA.MTU, u32(op.mtu)),
    attribute(IFLA.NET_NS_FD, u32(lookup.netns(op.peer.netns))),
  ]);
  yield link(RTM.NEWLINK, CREATE, 0, true, [
    attribute(IFLA.IFNAME, text(op.name)),
    attribute(IFLA.MTU, u32(op.mtu)),
    attribute(IFLA.MASTER, u32(lookup.index(op.master))),
    nested(
      IFLA.LINKINFO,
      attribute(INFO.KIND, text('veth')),
      nested(INFO.DATA, attribute(VETH_PEER, peer)),
    ),
  ]);
  if (!op.isolated) return;
  yield {
    type: RTM.SETLINK,
    flags: 0,
    body: Buffer.concat([
      ifinfo(AF_BRIDGE, lookup.index(op.name), undefined),
      nested(IFLA.PROTINFO, attribute(BRPORT.ISOLATED, u8(1))),
    ]),
  };
}

/** Learning stays on: entries are static and learning only adds to them. */
function addVxlan(op: LinkOp & { op: 'add-vxlan' }, lookup: Lookup): NetlinkRequest {
  const on = [VXLAN.LEARNING, VXLAN.PROXY, VXLAN.L2MISS, VXLAN.L3MISS];
  return link(RTM.NEWLINK, CREATE, 0, false, [
    attribute(IFLA.IFNAME, text(op.name)),
    attribute(IFLA.MTU, u32(op.mtu)),
    attribute(IFLA.NET_NS_FD, u32(lookup.netns(op.netns))),
    nested(
      IFLA.LINKINFO,
      attribute(INFO.KIND, text('vxlan')),
      nested(
        INFO.DATA,
        attribute(VXLAN.ID, u32(op.vni)),
        attribute(VXLAN.PORT, u16be(op.port)),
        ...on.map((flag) => attribute(flag, u8(1))),
      ),
    ),
  ]);
}

function link(
  type: number,
  flags: number,
  index: number,
  up: boolean | undefined,
  attributes: Buffer[],
): NetlinkRequest {
  return { type, flags, body: Buffer.concat([ifinfo(AF_UNSPEC, index, up), ...attributes]) };
}

/** struct ifinfomsg; `up` undefined leaves the state as it is. */
function ifinfo(family: number, index: number, up: boolean | undefined): Buffer {
  const result = Buffer.alloc(16);
  result.writeUInt8(family, 0);
  result.writeInt32LE(index, 4);
  result.writeUInt32LE(up ? IFF_UP : 0, 8);
  result.writeUInt32LE(up === undefined ? 0 : IFF_UP, 12);
  return result;
}

function address(
  type: number,
  flags: number,
  op: { dev: string; address: string },
  lookup: Lookup,
): NetlinkRequest {
  const [ip = '', prefix = '32'] = op.address.split('/');
  const header = Buffer.alloc(8);
  header.writeUInt8(AF_INET, 0);
  header.writeUInt8(Number(prefix), 1);
  header.writeUInt32LE(lookup.index(op.dev), 4);
  const attributes = [attribute(IFA.LOCAL, ipBytes(ip)), attribute(IFA.ADDRESS, ipBytes(ip))];
  return { type, flags, body: Buffer.concat([header, ...attributes]) };
}

function route(
  type: number,
  flags: number,
  op: { to: string; via?: string; dev?: string; table?: number; mtu?: number },
  lookup: Lookup,
): NetlinkRequest {
  const [ip = '', prefix = '32'] = op.to.split('/');
  const table = op.table ?? TABLE_MAIN;
  const header = Buffer.from([
    AF_INET,
    Number(prefix),
    0,
    0,
    table < 256 ? table : TABLE_UNSPEC,
    RTPROT_STATIC,
    op.via ? SCOPE_UNIVERSE : SCOPE_LINK,
    RTN_UNICAST,
    0,
    0,
    0,
    0,
  ]);
  const attributes = [
    attribute(RTA.TABLE, u32(table)),
    ...(Number(prefix) > 0 ? [attribute(RTA.DST, ipBytes(ip))] : []),
    ...(op.via ? [attribute(RTA.GATEWAY, ipBytes(op.via))] : []),
    ...(op.dev ? [attribute(RTA.OIF, u32(lookup.index(op.dev)))] : []),
    ...(op.mtu ? [nested(RTA.METRICS, attribute(RTAX_MTU, u32(op.mtu)))] : []),
  ];
  return { type, flags, body: Buffer.concat([header, ...attributes]) };
}

function fdb(
  type: number,
  flags: number,
  op: { dev: string; mac: string; vtep: string },
  lookup: Lookup,
): NetlinkRequest {
  return neighbour(type, flags, AF_BRIDGE, lookup.index(op.dev), NTF_SELF, [
    attribute(NDA.DST, ipBytes(op.vtep)),
    attribute(NDA.LLADDR, macBytes(op.mac)),
  ]);
}

function neighbour(
  type: number,
  flags: number,
  family: number,
  index: number,
  neighbourFlags: number,
  attributes: Buffer[],
): NetlinkRequest {
  const header = Buffer.alloc(12);
  header.writeUInt8(family, 0);
  header.writeInt32LE(index, 4);
  header.writeUInt16LE(NUD_PERMANENT, 8);
  header.writeUInt8(neighbourFlags, 10);
  return { type, flags, body: Buffer.concat([header, ...attributes]) };
}

function rule(
  type: number,
  flags: number,
  op: { mark: number; table: number; priority: number },
): NetlinkRequest {
  const header = Buffer.from([AF_INET, 0, 0, 0, TABLE_UNSPEC, 0, 0, ACT_TO_TABLE, 0, 0, 0, 0]);
  const attributes = [
    attribute(FRA.PRIORITY, u32(op.priority)),
    attribute(FRA.FWMARK, u32(op.mark)),
    attribute(FRA.FWMASK, u32(0xffffffff)),
    attribute(FRA.TABLE, u32(op.table)),
  ];
  return { type, flags, body: Buffer.concat([header, ...attributes]) };
}
