/** The core stands alone: it imports nothing but itself, and no file waits for itself to be loaded. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';

const CORE = resolve('manager/raft');

const files = (readdirSync(CORE, { recursive: true }) as string[])
  .filter((name) => name.endsWith('.ts') && !name.startsWith('dist/'))
  .map((name) => join(CORE, name));

interface Import {
  readonly from: string;
  readonly isTypeOnly: boolean;
}

function importsOf(file: string): Import[] {
  const statements = readFileSync(file, 'utf8').matchAll(
    /^(?:import|export)\s+(type\s)?([^;]*?)from\s+'([^']+)';/gms,
  );
  return [...statements].map(([, type, names = '', from = '']) => ({
    from,
    isTypeOnly: type !== undefined || onlyTypes(names),
  }));
}

function onlyTypes(names: string): boolean {
  const listed = /\{([^}]*)\}/s
    .exec(names)?.[1]
    ?.split(',')
    .map((name) => name.trim()) ?? [''];
  return (
    listed.filter((name) => name !== '').every((name) => name.startsWith('type ')) &&
    names.includes('{')
  );
}

test('the core imports only its own files', () => {
  assert.ok(files.length > 30);
  for (const file of files) {
    for (const { from } of importsOf(file)) {
      const target = resolve(dirname(file), from);
      assert.ok(
        from.startsWith('.') && target.startsWith(`${CORE}/`),
        `${relative(CORE, file)} imports ${from}`,
      );
    }
  }
});

test('there is no circle of imports', () => {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    const at = path.indexOf(file);
    const circle = [...path.slice(at), file].map((each) => relative(CORE, each)).join(' -> ');
    assert.ok(at < 0, `circle of imports: ${circle}`);
    if (done.has(file)) return;
    for (const { from, isTypeOnly } of importsOf(file)) {
      if (!isTypeOnly) visit(resolve(dirname(file), from), [...path, file]);
    }
    done.add(file);
  };
  for (const file of files) visit(file, []);
});

test('the core does not use clocks, timers, randomness or the process', () => {
  for (const file of files) {
    const code = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    const found =
      /\b(Date|performance|setTimeout|setInterval|setImmediate|queueMicrotask|process|Math\.random|console)\b\s*[.(]/.exec(
        code,
      );
    assert.equal(found, null, `${relative(CORE, file)} uses ${found?.[0]}`);
  }
});
