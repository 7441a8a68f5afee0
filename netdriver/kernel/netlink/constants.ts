/** Numbers of the kernel's user interface: linux/rtnetlink.h, if_link.h, neighbour.h, fib_rules.h. */
export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_BRIDGE = 7;

export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  SETLINK: 19,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
  NEWNEIGH: 28,
  DELNEIGH: 29,
  GETNEIGH: 30,
  NEWRULE: 32,
  DELRULE: 33,
  GETRULE: 34,
} as const;

export const IFF_UP = 1;

export const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  MASTER: 10,
  PROTINFO: 12,
  LINKINFO: 18,
  NET_NS_FD: 28,
} as const;

export const INFO = { KIND: 1, DATA: 2 } as const;
export const VETH_PEER = 1;
export const VXLAN = { ID: 1, LEARNING: 7, PROXY: 11, L2MISS: 13, L3MISS: 14, PORT: 15 } as const;
export const BRPORT = { ISOLATED: 33 } as const;

export const IFA = { ADDRESS: 1, LOCAL: 2 } as const;

export const RTA = { DST: 1, OIF: 4, GATEWAY: 5, METRICS: 8, TABLE: 15 } as const;
export const RTAX_MTU = 2;
export const RTN_UNICAST = 1;
export const RTPROT_STATIC = 4;
export const SCOPE_UNIVERSE = 0;
export const SCOPE_LINK = 253;
export const TABLE_UNSPEC = 0;
export const TABLE_MAIN = 254;

export const NDA = { DST: 1, LLADDR: 2 } as const;
export const NUD_PERMANENT = 0x80;
export const NTF_SELF = 0x02;

export const FRA = { PRIORITY: 6, FWMARK: 10, TABLE: 15, FWMASK: 16 } as const;
export const ACT_TO_TABLE = 1;
