import { SwarmError } from '../../../common/errors.ts';
import type { Descriptor, Platform } from './types.ts';

const GO_ARCH: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  arm64: 'arm64',
  arm: 'arm',
  ppc64: 'ppc64le',
  riscv64: 'riscv64',
  s390x: 's390x',
  loong64: 'loong64',
};

/** The platform whose images this machine runs, named as image indexes do. */
export function hostPlatform(arch: string): Platform {
  return { os: 'linux', architecture: GO_ARCH[arch] ?? arch };
}

/** Reads `os[/arch[/variant]]`; what is left out is the host's. Throws SWM_INVALID_ARGUMENT. */
export function parsePlatform(text: string, host: Platform): Platform {
  const [os, architecture, variant, ...more] = text.toLowerCase().split('/');
  if (!os || more.length > 0) {
    throw new SwarmError('SWM_INVALID_ARGUMENT', `"${text}" is an invalid platform`);
  }
  const arch =
    architecture === 'x86_64' ? 'amd64' : architecture === 'aarch64' ? 'arm64' : architecture;
  return { os, architecture: arch ?? host.architecture, ...(variant ? { variant } : {}) };
}

/** The manifest for `wanted`; among several, the one with its variant, else the first. */
export function selectManifest(
  manifests: readonly Descriptor[],
  wanted: Platform,
): Descriptor | undefined {
  const fitting = manifests.filter(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  const sameVariant = fitting.find(({ platform }) => platform?.variant === wanted.variant);
  if (sameVariant) return sameVariant;
  if (wanted.variant && wanted.architecture !== 'arm64') return undefined;
  return fitting[0];
}

export function platformText(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant ? `${os}/${architecture}/${variant}` : `${os}/${architecture}`;
}
