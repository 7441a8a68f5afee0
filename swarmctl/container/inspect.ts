import type { Context } from '../context.ts';
import { containerPath } from './paths.ts';

/** What the commands read of GET /containers/{id}/json. */
export interface ContainerDetail {
  readonly Id: string;
  readonly Name: string;
  readonly State: {
    readonly Status: string;
    readonly Running: boolean;
    readonly Paused: boolean;
    readonly Restarting: boolean;
    readonly ExitCode: number;
  };
  readonly Config: { readonly Tty: boolean; readonly OpenStdin: boolean };
  readonly HostConfig: { readonly AutoRemove?: boolean };
  readonly NetworkSettings: {
    readonly Ports?: Readonly<
      Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>
    >;
  };
}

export function inspectContainer(context: Context, name: string): Promise<ContainerDetail> {
  return context.api.get(containerPath(name, 'json'));
}
