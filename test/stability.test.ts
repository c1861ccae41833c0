import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { verbs } from '../src/cli/commands.js';
import { root } from './support/majors.js';

interface Named {
  readonly name: string;
  /** Where it is declared; a name that a room hands on is looked for there. */
  readonly file: string;
}

const entries: Readonly<Record<string, string>> = {
  'ensure-migrated': 'src/index.ts',
  'ensure-migrated/commands': 'src/commands/index.ts',
  'ensure-migrated/testing': 'src/testing/index.ts',
  'ensure-migrated/vitest': 'src/testing/vitest.ts',
  'ensure-migrated/vitest/setup': 'src/testing/vitest-setup.ts',
  'ensure-migrated/vitest/reporter': 'src/testing/vitest-reporter.ts',
};

const textOf = (file: string) => readFileSync(path.join(root, file), 'utf8');
const declaration = /^export (?:default )?(?:abstract )?(?:async )?(?:function|const|class|interface|type) (\w+)/gm;

function exportsOf(file: string): Named[] {
  const text = textOf(file);
  const own = [...text.matchAll(declaration)].map(([, name = '']) => ({ name, file }));
  const handedOn = [...text.matchAll(/^export (?:type )?\{([^}]+)\} from '(.+)';/gm)].flatMap(([, list = '', from = '']) => {
    const source = path.join(path.dirname(file), from.replace(/\.js$/, '.ts'));
    const names = list.split(',').map((name) => name.trim().replace(/^type /, ''));
    return names.filter(Boolean).map((name) => exportsOf(source).find((each) => each.name === name) ?? { name, file: source });
  });
  return [...own, ...handedOn];
}

describe.each(Object.entries(entries))('%s', (entry, file) => {
  const exported = exportsOf(file);

  test('is an entry point of the package', () => {
    const { exports } = JSON.parse(textOf('package.json')) as { exports: Record<string, unknown> };
    const point = exports[entry.replace('ensure-migrated', '.')] as { types: string };
    expect(point.types).toBe(`./${file.replace('src/', 'dist/').replace(/\.ts$/, '.d.ts')}`);
  });

  test('has a docstring on each name that it exports', () => {
    const bare = exported.filter(({ name, file: declared }) => {
      const text = textOf(declared); // of overloads one is enough
      return ![...text.matchAll(declaration)].some((match) => match[1] === name && /\*\/\n$/.test(text.slice(0, match.index)));
    });
    expect(bare.map(({ name, file: declared }) => `${declared}: ${name}`)).toEqual([]);
  });

  test('stands in docs/stability.md, each name once, and nothing else', () => {
    expect(namesUnder(`### ${entry}`)).toEqual([...new Set(exported.map(({ name }) => name))].sort());
  });
});

test('docs/stability.md has every entry point of the package, and every verb', () => {
  const { exports } = JSON.parse(textOf('package.json')) as { exports: Record<string, unknown> };
  const points = Object.keys(exports).filter((point) => !point.endsWith('.json'));
  expect(points.map((point) => point.replace('.', 'ensure-migrated')).sort()).toEqual(Object.keys(entries).sort());
  expect(namesUnder('### The command line')).toEqual(verbs.map(({ name }) => name).sort());
});

/** What stands in backquotes in the cells of the table below a heading, sorted. */
function namesUnder(heading: string): string[] {
  const [, section = ''] = textOf('docs/stability.md').split(`\n${heading}\n`);
  const rows = (section.split(/^#/m)[0] ?? '')
    .split('\n')
    .filter((line) => line.startsWith('| stable') || line.startsWith('| experimental'));
  return rows.flatMap((row) => [...row.matchAll(/`([\w-]+)`/g)].map(([, name = '']) => name)).sort();
}
