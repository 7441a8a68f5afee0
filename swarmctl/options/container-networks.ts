import { InvalidArgumentError } from 'commander';
import { CliError } from '../cli-error.ts';
import { parseFields, splitPair } from './parse.ts';

/** What the API takes for a container's place on a network. */
export interface EndpointSettings {
  IPAMConfig?: { IPv4Address?: string; IPv6Address?: string };
  Aliases?: string[];
  MacAddress?: string;
  DriverOpts?: Record<string, string>;
}

export interface NetworkOption {
  readonly name: string;
  readonly settings: EndpointSettings;
}

/** The options that speak of the first network. */
export interface FirstNetworkFlags {
  readonly ip?: string;
  readonly ip6?: string;
  readonly macAddress?: string;
  readonly networkAlias: readonly string[];
}

/** `--network` of containers: a name, or name=…,alias=…,ip=…,ip6=…,mac-address=…,driver-opt=k=v. */
export function parseContainerNetwork(text: string): NetworkOption {
  if (!text.includes('=')) return { name: text, settings: {} };
  const settings: EndpointSettings = {};
  let name = '';
  for (const [key, value] of parseFields(text)) {
    if (key === 'name') name = value;
    else if (key === 'alias') settings.Aliases = [...(settings.Aliases ?? []), value];
    else if (key === 'ip') settings.IPAMConfig = { ...settings.IPAMConfig, IPv4Address: value };
    else if (key === 'ip6') settings.IPAMConfig = { ...settings.IPAMConfig, IPv6Address: value };
    else if (key === 'mac-address') settings.MacAddress = value;
    else if (key === 'driver-opt') {
      const [option, setting] = splitPair(value);
      settings.DriverOpts = { ...settings.DriverOpts, [option]: setting };
    } else throw new InvalidArgumentError(`"${text}": unknown field ${key}.`);
  }
  if (name === '') throw new InvalidArgumentError(`"${text}": name is missing.`);
  return { name, settings };
}

/** Each network with its settings, the first one with those of the separate options. */
export function endpointsOf(
  networks: readonly NetworkOption[],
  flags: FirstNetworkFlags,
): Record<string, EndpointSettings> {
  const names = networks.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice) throw new CliError(`network "${twice}" is specified multiple times`, 125);
  const separate = separateSettings(flags);
  const [first = { name: 'default', settings: {} }, ...others] = networks;
  for (const key of Object.keys(separate) as (keyof EndpointSettings)[]) {
    if (first.settings[key] === undefined) continue;
    throw new CliError(
      `conflicting options: ${OPTION_OF[key]} is given for the network, and for itself`,
      125,
    );
  }
  const settings = { ...first.settings, ...separate };
  if (networks.length === 0 && Object.keys(settings).length === 0) return {};
  return Object.fromEntries([
    [first.name, settings],
    ...others.map((network) => [network.name, network.settings]),
  ]);
}

const OPTION_OF: Readonly<Record<keyof EndpointSettings, string>> = {
  IPAMConfig: 'an IP address',
  Aliases: 'an alias',
  MacAddress: 'a MAC address',
  DriverOpts: 'a driver option',
};

function separateSettings({ ip, ip6, macAddress, networkAlias }: FirstNetworkFlags) {
  const settings: EndpointSettings = {};
  if (ip || ip6) {
    settings.IPAMConfig = {
      ...(ip ? { IPv4Address: ip } : {}),
      ...(ip6 ? { IPv6Address: ip6 } : {}),
    };
  }
  if (networkAlias.length > 0) settings.Aliases = [...networkAlias];
  if (macAddress) settings.MacAddress = macAddress;
  return settings;
}
