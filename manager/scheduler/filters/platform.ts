import type { Platform } from '../../../proto/gen/swarm/types.ts';
import { checkOf, type Filter, nodes } from './filter.ts';

const ALIASES: Record<string, string> = { x86_64: 'amd64', aarch64: 'arm64' };

/** The node can run one of the platforms that the image has. */
export const platformFilter: Filter = {
  name: 'Platform',
  prepare(task) {
    const platforms = task.spec?.placement?.platforms ?? [];
    if (platforms.length === 0) return undefined;
    return checkOf(({ node }) => {
      const platform = node.description?.platform;
      if (platform && platforms.some((wanted) => runs(wanted, platform))) return undefined;
      return { wanted: platforms.map(format).join(' or '), had: platform ? format(platform) : '' };
    });
  },
  summary: (count) => `unsupported platform on ${nodes(count)}`,
};

/** What the image leaves open, it does not care about. */
function runs(wanted: Platform, has: Platform): boolean {
  const sameOs = wanted.os === '' || wanted.os.toLowerCase() === has.os.toLowerCase();
  const anyArch = wanted.architecture === '';
  return sameOs && (anyArch || canonical(wanted.architecture) === canonical(has.architecture));
}

function canonical(architecture: string): string {
  const name = architecture.toLowerCase();
  return ALIASES[name] ?? name;
}

function format({ os, architecture }: Platform): string {
  return `${os || 'any'}/${canonical(architecture) || 'any'}`;
}
