import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const SKIPPED = new Set(['.git', 'node_modules', 'dist', 'gen', 'testdata']);

/** Every file that belongs to the sources, relative to the root of the repository. */
export const files: readonly string[] = walk('.');

export interface Page {
  readonly path: string;
  /** Without code blocks. */
  readonly prose: string;
  /** The lines of its code blocks. */
  readonly code: readonly string[];
  /** What its prose has between backticks. */
  readonly spans: readonly string[];
}

/** All documentation: every Markdown file. */
export const pages: readonly Page[] = files.filter((path) => path.endsWith('.md')).map(read);

function walk(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    if (SKIPPED.has(entry.name)) return [];
    const path = join(directory, entry.name);
    return entry.isDirectory() ? walk(path) : [relative('.', path)];
  });
}

function read(path: string): Page {
  const text = readFileSync(path, 'utf8');
  const blocks = /^```.*\n([\s\S]*?)^```$/gm;
  const code = Array.from(text.matchAll(blocks), ([, block = '']) => block.split('\n')).flat();
  const prose = text.replace(blocks, '');
  const spans = Array.from(prose.matchAll(/`([^`]+)`/g), ([, span = '']) => oneLine(span));
  return { path, prose, code, spans };
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ');
}
