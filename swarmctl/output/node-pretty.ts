import type { NodeObject } from '../commands/api-types.ts';
import { type Context, print } from '../context.ts';
import { binarySize } from './human.ts';

/** `node inspect --pretty`. */
export function printNode(context: Context, node: NodeObject): void {
  const { Description: description, Spec: spec, Status: status } = node;
  const lines = [
    `ID:\t\t\t${node.ID}`,
    ...(spec.Name ? [`Name:\t\t\t${spec.Name}`] : []),
    ...labelLines('Labels:', spec.Labels),
    `Hostname:              \t${description.Hostname ?? ''}`,
    `Joined at:             \t${node.CreatedAt}`,
    'Status:',
    ` State:\t\t\t${capital(status.State)}`,
    ...(status.Message ? [` Message:              \t${status.Message}`] : []),
    ` Availability:         \t${capital(spec.Availability)}`,
    ` Address:\t\t${status.Addr}`,
    ...managerLines(node),
    'Platform:',
    ` Operating System:\t${description.Platform.OS ?? ''}`,
    ` Architecture:\t\t${description.Platform.Architecture ?? ''}`,
    'Resources:',
    ` CPUs:\t\t\t${(description.Resources.NanoCPUs ?? 0) / 1e9}`,
    ` Memory:\t\t${binarySize(description.Resources.MemoryBytes ?? 0)}`,
    ...pluginLines(node),
    `Engine Version:\t\t${description.Engine.EngineVersion ?? ''}`,
    ...labelLines('Engine Labels:', description.Engine.Labels),
    ...tlsLines(node),
  ];
  print(context, lines.join('\n'));
}

function managerLines({ ManagerStatus: manager }: NodeObject): string[] {
  if (!manager) return [];
  return [
    'Manager Status:',
    ` Address:\t\t${manager.Addr}`,
    ` Raft Status:\t\t${capital(manager.Reachability)}`,
    ` Leader:\t\t${manager.Leader ? 'Yes' : 'No'}`,
  ];
}

function pluginLines({ Description }: NodeObject): string[] {
  const plugins = Description.Engine.Plugins ?? [];
  const types = [...new Set(plugins.map((plugin) => plugin.Type))].sort();
  if (types.length === 0) return [];
  const names = (type: string) => plugins.filter((p) => p.Type === type).map((p) => p.Name);
  return ['Plugins:', ...types.map((type) => ` ${type}:\t\t${names(type).join(', ')}`)];
}

function labelLines(title: string, labels: Record<string, string> | null | undefined): string[] {
  const entries = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0
    ? []
    : [title, ...entries.map(([key, value]) => ` - ${key}=${value}`)];
}

function tlsLines({ Description: { TLSInfo: tls } }: NodeObject): string[] {
  if (!tls?.TrustRoot) return [];
  return [
    'TLS Info:',
    ` TrustRoot:\n${tls.TrustRoot.trimEnd()}`,
    '',
    ` Issuer Subject:\t${tls.CertIssuerSubject ?? ''}`,
    ` Issuer Public Key:\t${tls.CertIssuerPublicKey ?? ''}`,
  ];
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
