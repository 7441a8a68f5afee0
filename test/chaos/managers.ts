import type { Api } from '../bench/support/api.ts';
import { eventually } from '../support/eventually.ts';

interface NodeView {
  readonly Description: { readonly Hostname: string };
  readonly ManagerStatus?: { readonly Leader?: boolean; readonly Reachability?: string };
}

interface ConfigView {
  readonly ID: string;
  readonly Version: { readonly Index: number };
  readonly Spec: { readonly Name: string; readonly Labels: Record<string, string> };
}

const ASK_MS = 2_000;

/** Waits until every manager says that all can be reached and names the same leader: which one. */
export function settled(apis: ReadonlyMap<string, Api>): Promise<string> {
  return eventually(async () => {
    const leaders = await Promise.all(
      [...apis].map(async ([host, api]) => {
        const nodes = await read<NodeView[]>(api, host, '/nodes');
        const away = nodes.filter(({ ManagerStatus: m }) => m?.Reachability !== 'reachable');
        if (away.length > 0 || nodes.length !== apis.size) {
          throw new Error(`${host} does not reach ${away.map(nameOf).join(', ') || 'all'}`);
        }
        return nodes.find(({ ManagerStatus }) => ManagerStatus?.Leader)?.Description.Hostname;
      }),
    );
    const [leader] = leaders;
    if (leader && leaders.every((each) => each === leader)) return leader;
    throw new Error(`the managers name as leader: ${leaders.join(', ')}`);
  });
}

/** The configs that a manager shows, as lines to be compared and as names. */
export async function configsAt(
  host: string,
  api: Api,
): Promise<{ readonly all: string; readonly names: ReadonlySet<string> }> {
  const configs = await read<ConfigView[]>(api, host, '/configs');
  const lines = configs.map(
    ({ ID, Version, Spec }) => `${ID} ${Version.Index} ${Spec.Name} ${Spec.Labels['value']}`,
  );
  const names = new Set(configs.map(({ Spec }) => Spec.Name));
  return { all: lines.sort().join('\n'), names };
}

const nameOf = ({ Description }: NodeView): string => Description.Hostname;

async function read<T>(api: Api, host: string, path: string): Promise<T> {
  const { status, body } = await api.send('GET', path, { timeoutMs: ASK_MS });
  if (status === 200) return body as T;
  throw new Error(`GET ${path} at ${host}: ${status} ${JSON.stringify(body)}`);
}
