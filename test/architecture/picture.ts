import type { ICruiseResult, IModule } from 'dependency-cruiser';

/** The name of a box, or undefined for a module that is not in the picture. */
type BoxOf = (source: string) => string | undefined;

/** Which part of the tree a picture shows. Modules in the same box are one, and boxes are folders. */
const PICTURES: Readonly<Record<string, BoxOf>> = {
  modules: (source) =>
    /^(common|manager|netdriver|proto|swarmctl|swarmd|worker)\//.exec(source)?.[1],
  manager: foldersOf('manager'),
  netdriver: foldersOf('netdriver'),
  worker: foldersOf('worker'),
};

/**
 * `document` with each picture redrawn: what stands between `<!-- picture NAME -->` and
 * `<!-- end -->` becomes a mermaid graph with an arrow from each folder to those it imports.
 *
 * @throws Error when the document has a picture that nobody draws, or lacks one.
 */
export function redraw(document: string, { modules }: ICruiseResult): string {
  const missing = new Set(Object.keys(PICTURES));
  const redrawn = document.replace(
    /(<!-- picture (\S+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, begin: string, name: string, end: string) => {
      const boxOf = PICTURES[name];
      if (!boxOf) throw new Error(`nobody draws the picture '${name}'`);
      missing.delete(name);
      return `${begin}${draw(modules, boxOf)}${end}`;
    },
  );
  if (missing.size > 0) throw new Error(`no place for the pictures: ${[...missing].join(', ')}`);
  return redrawn;
}

function foldersOf(module: string): BoxOf {
  const inFolder = new RegExp(`^${module}/([^/]+)/`);
  return (source) => inFolder.exec(source)?.[1];
}

function draw(modules: readonly IModule[], boxOf: BoxOf): string {
  const arrows = new Set<string>();
  for (const { source, dependencies } of modules) {
    const from = boxOf(source);
    for (const { resolved } of dependencies) {
      const to = boxOf(resolved);
      if (from && to && from !== to) arrows.add(`  ${from} --> ${to}`);
    }
  }
  return ['```mermaid', 'flowchart TD', ...[...arrows].sort(), '```', ''].join('\n');
}
