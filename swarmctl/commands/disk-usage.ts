import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { humanSize } from '../output/human.ts';
import { type Column, printList } from '../output/list.ts';

interface DiskUsage {
  readonly LayersSize: number;
  readonly Images: readonly { readonly Size: number; readonly Containers: number }[] | null;
  readonly Containers: readonly { readonly State: string; readonly SizeRw?: number }[] | null;
  readonly Volumes:
    | readonly {
        readonly UsageData?: { readonly RefCount: number; readonly Size: number } | null;
      }[]
    | null;
}

interface Row {
  readonly type: string;
  readonly total: number;
  readonly active: number;
  readonly size: number;
  readonly reclaimable: number;
}

const RUNNING = new Set(['running', 'paused', 'restarting']);

const COLUMNS: readonly Column<Row>[] = [
  { key: 'Type', header: 'TYPE', value: ({ type }) => type },
  { key: 'TotalCount', header: 'TOTAL', value: ({ total }) => String(total) },
  { key: 'Active', header: 'ACTIVE', value: ({ active }) => String(active) },
  { key: 'Size', header: 'SIZE', value: ({ size }) => humanSize(size) },
  {
    key: 'Reclaimable',
    header: 'RECLAIMABLE',
    value: ({ reclaimable, size }) =>
      size > 0
        ? `${humanSize(reclaimable)} (${Math.floor((reclaimable / size) * 100)}%)`
        : humanSize(reclaimable),
  },
];

export function addDiskUsage(system: Command, context: Context): void {
  system
    .command('df')
    .description('Show how much disk is used, and for what')
    .option('--format <template>', 'Go template, "table TEMPLATE" or "json"')
    .action(async (flags: { format?: string }) => {
      const usage = await context.api.get<DiskUsage>('/system/df');
      printList(context, rows(usage), COLUMNS, flags, ({ type }) => type);
    });
}

function rows({ LayersSize, Images, Containers, Volumes }: DiskUsage): Row[] {
  const images = (Images ?? []).map((image) => ({
    size: image.Size,
    active: image.Containers > 0,
  }));
  const containers = (Containers ?? []).map((container) => ({
    size: container.SizeRw ?? 0,
    active: RUNNING.has(container.State),
  }));
  const volumes = (Volumes ?? []).map(({ UsageData }) => ({
    size: Math.max(UsageData?.Size ?? 0, 0),
    active: (UsageData?.RefCount ?? 0) > 0,
  }));
  return [
    { ...summary('Images', images), size: LayersSize },
    summary('Containers', containers),
    summary('Local Volumes', volumes),
  ];
}

function summary(type: string, items: readonly { size: number; active: boolean }[]): Row {
  const sum = (some: typeof items) => some.reduce((total, { size }) => total + size, 0);
  return {
    type,
    total: items.length,
    active: items.filter(({ active }) => active).length,
    size: sum(items),
    reclaimable: sum(items.filter(({ active }) => !active)),
  };
}
