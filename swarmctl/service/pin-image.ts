import type { ServiceSpec } from '../commands/api-types.ts';
import { type Context, describeError } from '../context.ts';
import { registryAuth } from '../images/registry-auth.ts';

interface Distribution {
  readonly Descriptor: { readonly digest: string };
  readonly Platforms?: readonly { readonly architecture: string; readonly os: string }[];
}

/**
 * Asks the registry for the image's digest, so that all tasks run the same image and only where it
 * can run. A registry that does not answer is a warning: the nodes may have the image.
 */
export async function pinImage(
  context: Context,
  spec: ServiceSpec,
  resolve: boolean,
): Promise<ServiceSpec> {
  const container = spec.TaskTemplate.ContainerSpec;
  if (!container || !resolve || container.Image.includes('@')) return spec;
  try {
    const path = `/distribution/${container.Image}/json`;
    const headers = { 'X-Registry-Auth': await registryAuth(container.Image, context.env) };
    const answer = await context.api.get<Distribution>(path, {}, headers);
    const { Descriptor, Platforms = [] } = answer;
    const image = `${withTag(container.Image)}@${Descriptor.digest}`;
    const platforms = Platforms.filter((platform) => platform.architecture !== 'unknown');
    return {
      ...spec,
      TaskTemplate: {
        ...spec.TaskTemplate,
        ContainerSpec: { ...container, Image: image },
        Placement: {
          ...spec.TaskTemplate.Placement,
          Platforms: platforms.map(({ architecture, os }) => ({
            Architecture: architecture,
            OS: os,
          })),
        },
      },
    };
  } catch (error) {
    context.err.write(
      `image ${container.Image} could not be accessed on a registry to record its digest: ` +
        `each node will use the image it has or can pull (${describeError(error)})\n`,
    );
    return spec;
  }
}

function withTag(image: string): string {
  return /:[\w.-]+$/.test(image) ? image : `${image}:latest`;
}

/** With --with-registry-auth the login goes into the spec, for the nodes to pull with. */
export async function authHeaders(
  context: Context,
  spec: ServiceSpec,
  flags: { readonly withRegistryAuth?: boolean },
): Promise<Record<string, string>> {
  const image = spec.TaskTemplate.ContainerSpec?.Image;
  if (!flags.withRegistryAuth || !image) return {};
  return { 'X-Registry-Auth': await registryAuth(image, context.env) };
}
