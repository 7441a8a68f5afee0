import type { Command } from 'commander';
import { CliError } from '../cli-error.ts';
import { type Context, forEachName, print } from '../context.ts';
import { pullImage } from '../images/pull.ts';
import { canonicalName, parseImage, repositoryOf, versionOf } from '../images/reference.ts';
import { ago, ellipsis, humanSize, plainTime } from '../output/human.ts';
import { inspectAll } from '../output/inspect.ts';
import { progressTarget } from '../output/json-progress.ts';
import { type Column, printList } from '../output/list.ts';
import { addImageList } from './image-list.ts';
import { addImageTransfer } from './image-transfer.ts';
import { addPrune, reclaimed } from './prune.ts';

const ID_LENGTH = 12;
const CREATED_BY_LENGTH = 45;

interface Removed {
  readonly Untagged?: string;
  readonly Deleted?: string;
}

/** `swarmctl image …`, and the short forms pull, images, rmi, tag, load, save, import, history. */
export function addImageCommands(program: Command, context: Context): void {
  const image = program.command('image').description('Manage images of this node');
  for (const parent of [image, program]) {
    const short = parent === program;
    addPull(parent, context);
    addImageList(parent, context, short ? ['images'] : ['ls', 'list']);
    addRemove(parent, context, short ? ['rmi'] : ['rm', 'remove']);
    addTag(parent, context);
    addHistory(parent, context);
    addImageTransfer(parent, context);
  }
  addImageInspect(image, context);
  addPrune(image, context, {
    path: '/images/prune',
    description: 'Remove images that nothing uses',
    all: 'not only those without a name',
    warning: ({ all }) =>
      all
        ? 'This will remove all images without at least one container associated to them.'
        : 'This will remove all dangling images.',
    filters: ({ all }) => (all ? ['dangling=false'] : []),
    report: (answer: { ImagesDeleted: readonly Removed[] | null; SpaceReclaimed: number }) => [
      ...titled('Deleted Images:', (answer.ImagesDeleted ?? []).map(describeRemoved)),
      reclaimed(answer.SpaceReclaimed),
    ],
  });
}

function addPull(parent: Command, context: Context): void {
  parent
    .command('pull')
    .description('Download an image from a registry')
    .argument('<name[:tag|@digest]>')
    .option('--platform <os/arch>', 'platform of the image')
    .option('-q, --quiet', 'no progress')
    .action(async (name: string, flags: { platform?: string; quiet?: boolean }) => {
      const image = parseImage(name);
      if (!image.tag && !image.digest && !flags.quiet) {
        print(context, `Using default tag: ${versionOf(image)}`);
      }
      const progress = flags.quiet ? undefined : progressTarget(context);
      await pullImage(context, image, { platform: flags.platform, progress });
      print(context, canonicalName(image));
    });
}

function addRemove(parent: Command, context: Context, names: readonly string[]): void {
  const [name = 'rm', ...aliases] = names;
  parent
    .command(name)
    .aliases(aliases)
    .description('Remove images')
    .argument('<image...>')
    .option('-f, --force', 'also when containers have it')
    .option('--no-prune', 'keep untagged parents')
    .action((images: string[], flags: { force?: boolean; prune: boolean }) =>
      forEachName(context, images, async (image) => {
        const removed = await context.api.delete<Removed[]>(imagePath(image), {
          force: flags.force ? 1 : undefined,
          noprune: flags.prune ? undefined : 1,
        });
        for (const line of removed.map(describeRemoved)) print(context, line);
      }),
    );
}

function addTag(parent: Command, context: Context): void {
  parent
    .command('tag')
    .description('Give an image another name')
    .argument('<image>')
    .argument('<name[:tag]>')
    .action(async (source: string, target: string) => {
      const image = parseImage(target);
      if (image.digest) throw new CliError('refusing to create a tag with a digest reference');
      await context.api.post(imagePath(source, 'tag'), {
        query: { repo: repositoryOf(image), tag: versionOf(image) },
      });
    });
}

interface HistoryStep {
  readonly Id: string;
  readonly Created: number;
  readonly CreatedBy: string;
  readonly Size: number;
  readonly Comment: string;
}

function addHistory(parent: Command, context: Context): void {
  parent
    .command('history')
    .description('Show how an image was made')
    .argument('<image>')
    .option('--format <template>', 'Go template, "table TEMPLATE" or "json"')
    .option('--no-trunc', 'whole ids and commands')
    .option('-q, --quiet', 'only ids')
    .action(async (image: string, flags: { format?: string; quiet?: boolean; trunc: boolean }) => {
      const steps = await context.api.get<HistoryStep[]>(imagePath(image, 'history'));
      const id = ({ Id }: HistoryStep) => (flags.trunc ? shortId(Id) : Id);
      printList(context, steps, historyColumns(flags.trunc, id), flags, id);
    });
}

function historyColumns(trunc: boolean, id: (step: HistoryStep) => string): Column<HistoryStep>[] {
  const now = Date.now();
  const flat = (text: string) => text.replace(/\t/g, ' ');
  return [
    { key: 'ID', header: 'IMAGE', value: id },
    { key: 'CreatedSince', header: 'CREATED', value: ({ Created }) => ago(Created * 1_000, now) },
    {
      key: 'CreatedAt',
      header: 'CREATED AT',
      value: ({ Created }) => plainTime(Created),
      hidden: true,
    },
    {
      key: 'CreatedBy',
      header: 'CREATED BY',
      value: ({ CreatedBy }) =>
        trunc ? ellipsis(flat(CreatedBy), CREATED_BY_LENGTH) : flat(CreatedBy),
    },
    { key: 'Size', header: 'SIZE', value: ({ Size }) => humanSize(Size) },
    { key: 'Comment', header: 'COMMENT', value: ({ Comment }) => Comment },
  ];
}

function addImageInspect(image: Command, context: Context): void {
  image
    .command('inspect')
    .description('Show images in detail')
    .argument('<image...>')
    .option('-f, --format <template>', 'Go template or "json"')
    .action((names: string[], flags) =>
      inspectAll(
        context,
        names,
        flags.format,
        (name) => context.api.get(imagePath(name, 'json')),
        (name) => `Error response from daemon: No such image: ${name}`,
      ),
    );
}

/** Names of images have slashes, which belong to the path. */
export function imagePath(image: string, action = ''): string {
  const name = image.split('/').map(encodeURIComponent).join('/');
  return `/images/${name}${action && `/${action}`}`;
}

function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, ID_LENGTH);
}

function describeRemoved({ Untagged, Deleted }: Removed): string {
  return Untagged === undefined ? `Deleted: ${Deleted}` : `Untagged: ${Untagged}`;
}

function titled(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : [title, ...lines, ''];
}
