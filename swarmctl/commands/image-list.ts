import type { Command } from 'commander';
import { filtersQuery } from '../client.ts';
import type { Context } from '../context.ts';
import { collect } from '../options/parse.ts';
import { ago, humanSize, plainTime } from '../output/human.ts';
import { type Column, printList } from '../output/list.ts';

const ID_LENGTH = 12;
const NONE = '<none>';

interface ImageSummary {
  readonly Id: string;
  readonly RepoTags: readonly string[] | null;
  readonly RepoDigests: readonly string[] | null;
  readonly Created: number;
  readonly Size: number;
  readonly Containers: number;
}

interface ImageRow {
  readonly image: ImageSummary;
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

interface ListFlags {
  all?: boolean;
  digests?: boolean;
  filter: string[];
  format?: string;
  quiet?: boolean;
  trunc: boolean;
}

/** `images` beside the other short commands, `ls` below `image`. */
export function addImageList(parent: Command, context: Context, names: readonly string[]): void {
  const [name = 'ls', ...aliases] = names;
  parent
    .command(name)
    .aliases(aliases)
    .description('List images')
    .argument('[repository[:tag]]', 'only these')
    .option('-a, --all', 'also intermediate ones')
    .option('--digests', 'with digests')
    .option('-f, --filter <key=value>', 'reference, label, dangling, before or since', collect, [])
    .option('--format <template>', 'Go template, "table TEMPLATE" or "json"')
    .option('--no-trunc', 'whole ids')
    .option('-q, --quiet', 'only ids')
    .action((reference: string | undefined, flags: ListFlags) => list(context, reference, flags));
}

async function list(
  context: Context,
  reference: string | undefined,
  flags: ListFlags,
): Promise<void> {
  const filters = [...flags.filter, ...(reference ? [`reference=${reference}`] : [])];
  const images = await context.api.get<ImageSummary[]>('/images/json', {
    all: flags.all ? 1 : undefined,
    ...filtersQuery(filters),
  });
  const id = ({ image }: ImageRow) =>
    flags.trunc ? image.Id.replace(/^sha256:/, '').slice(0, ID_LENGTH) : image.Id;
  const rows = images.flatMap((image) => rowsOf(image, flags.digests ?? false));
  printList(context, rows, columns(flags, id), flags, id);
}

/** A row for each name, with digests also for each digest of it. */
function rowsOf(image: ImageSummary, digests: boolean): ImageRow[] {
  const tags = image.RepoTags ?? [];
  const byRepository = new Map((image.RepoDigests ?? []).map((text) => cut(text, '@')));
  if (tags.length === 0) {
    const [first = [NONE, NONE] as const] = [...byRepository];
    return [{ image, repository: first[0], tag: NONE, digest: digests ? first[1] : NONE }];
  }
  return tags.map((name) => {
    const [repository, tag] = cut(name, ':');
    return { image, repository, tag, digest: byRepository.get(repository) ?? NONE };
  });
}

function cut(text: string, separator: string): readonly [string, string] {
  const at = text.lastIndexOf(separator);
  return [text.slice(0, at), text.slice(at + 1)];
}

function columns(flags: ListFlags, id: (row: ImageRow) => string): Column<ImageRow>[] {
  const now = Date.now();
  const hidden = true;
  return [
    { key: 'Repository', header: 'REPOSITORY', value: ({ repository }) => repository },
    { key: 'Tag', header: 'TAG', value: ({ tag }) => tag },
    { key: 'Digest', header: 'DIGEST', value: ({ digest }) => digest, hidden: !flags.digests },
    { key: 'ID', header: 'IMAGE ID', value: id },
    {
      key: 'CreatedSince',
      header: 'CREATED',
      value: ({ image }) => ago(image.Created * 1_000, now),
    },
    { key: 'Size', header: 'SIZE', value: ({ image }) => humanSize(image.Size) },
    {
      key: 'CreatedAt',
      header: 'CREATED AT',
      value: ({ image }) => plainTime(image.Created),
      hidden,
    },
    {
      key: 'Containers',
      header: 'CONTAINERS',
      value: ({ image }) => (image.Containers < 0 ? 'N/A' : String(image.Containers)),
      hidden,
    },
  ];
}
