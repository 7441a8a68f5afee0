import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { files, pages } from './pages.ts';

const NAMES = new Set(files.map((path) => basename(path)));
const FOLDERS = new Set(files.map((path) => path.split('/')[0] ?? ''));

test('there are pages to look at', () => {
  for (const path of ['README.md', 'HACKING.md', 'docs/limits.md', 'manager/raft/README.md']) {
    assert.ok(
      pages.some((page) => page.path === path),
      path,
    );
  }
});

for (const { path, prose, spans } of pages) {
  test(`${path}: links lead somewhere`, () => {
    const targets = Array.from(prose.matchAll(/\]\(([^)\s]+)\)/g), ([, target = '']) => target);
    const broken = targets.filter((target) => !/^\w+:/.test(target) && !leads(path, target));
    assert.deepEqual(broken, []);
  });

  test(`${path}: sources that it names are there`, () => {
    const named = spans.filter((span) => /^[\w./-]+\.(ts|md|sh|proto|cjs)$/.test(span));
    assert.deepEqual(
      named.filter((name) => !isThere(path, name)),
      [],
    );
  });

  test(`${path}: folders that it names are there`, () => {
    const named = spans.filter((span) => /^[\w-]+(\/[\w-]+)*\/?$/.test(span) && span.includes('/'));
    const ours = named.filter((name) => FOLDERS.has(name.split('/')[0] ?? ''));
    assert.deepEqual(
      ours.filter((name) => !isThere(path, name)),
      [],
    );
  });
}

function leads(from: string, target: string): boolean {
  const [file = '', anchor] = target.split('#');
  const path = file === '' ? from : normalize(join(dirname(from), file));
  if (!existsSync(path)) return false;
  return anchor === undefined || anchorsOf(path).includes(anchor);
}

function anchorsOf(path: string): string[] {
  const headings = readFileSync(path, 'utf8').matchAll(/^#+ (.*)$/gm);
  return Array.from(headings, ([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Files may be named by their name alone, or by a path from the root or from the page's folder. */
function isThere(from: string, name: string): boolean {
  if (!name.includes('/')) return NAMES.has(name);
  if (existsSync(name) || existsSync(join(dirname(from), name))) return true;
  const inside = `/${name.replace(/\/$/, '')}`;
  return files.some((path) => path.endsWith(inside) || path.includes(`${inside}/`));
}
