import { cpSync, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { root } from '../support/majors.js';
import { runCode, type ScriptOptions } from '../support/process.js';
import { directoryOf } from './fixture.js';

const typescript = `import type { Knex } from 'knex';
export async function up(knex: Knex): Promise<string> { return 'up' satisfies string; }
export async function down(knex: Knex): Promise<void> {}
export const config = { transaction: false as boolean };
`;

describe('modules that Node loads by itself', () => {
  test('as ES modules and as CommonJS, by their extension or by package.json', async () => {
    const esm = `export const up = () => 'up'; export const down = () => {}; export const config = { transaction: false };`;
    const cjs = `exports.up = () => 'up'; exports.down = () => {}; exports.config = { transaction: false };`;
    // Node sees only `up` among the names here; the rest is in the default export.
    const opaque = `module.exports = { up: (() => () => 'up')(), ...{ down: () => {} }, config: { transaction: false } };`;
    const compiled = `Object.defineProperty(exports, '__esModule', { value: true }); exports.default = { up: () => 'up', down() {}, config: { transaction: false } };`;
    const directory = directoryOf({
      'package.json': '{"type": "commonjs"}',
      'a.mjs': esm,
      'b.cjs': cjs,
      'c.js': cjs,
      'd.cjs': opaque,
      'e.mjs': `export default { up: () => 'up', down() {}, config: { transaction: false } };`,
      'f.js': compiled,
      'g #1%.mjs': esm,
    });
    const loaded = await loadAll(directory);
    expect(loaded.map(({ name }) => name)).toEqual(['a.mjs', 'b.cjs', 'c.js', 'd.cjs', 'e.mjs', 'f.js', 'g #1%.mjs']);
    for (const migration of loaded) {
      expect(migration).toEqual({
        name: migration.name,
        up: 'up',
        down: true,
        config: { transaction: false },
        entry: { file: migration.name, directory },
      });
    }
  });
});

describe('TypeScript', () => {
  test('is loaded by Node where it can, else by the tsx of the project', async () => {
    const directory = directoryOf({
      'package.json': '{"type": "module"}',
      'a.ts': typescript,
      'b.mts': typescript,
      'c.ts': `enum Kind { One = 'up' }\nexport const up = (): string => Kind.One; export const down = () => {};`,
      'd.ts': `import { value } from './value/of.js';\nexport const up = (): string => value; export const down = () => {};`,
      'value/of.ts': `export const value: string = 'up';`,
    });
    const loaded = await loadAll(directory);
    expect(loaded.map(({ name, up, error }) => ({ name, up, error }))).toEqual(
      ['a.ts', 'b.mts', 'c.ts', 'd.ts'].map((name) => ({ name, up: 'up', error: undefined })),
    );
  });

  test('is loaded in a CommonJS project too', async () => {
    const directory = directoryOf({
      'package.json': '{}',
      'a.ts': typescript,
      'b.cts': typescript,
      'c.ts': `export default { up: (): string => 'up', down() {} };`,
    });
    expect((await loadAll(directory)).map(({ up, error }) => ({ up, error }))).toEqual(Array(3).fill({ up: 'up', error: undefined }));
  });

  test('is loaded by a hook that the process has registered for require(), as ts-node does', async () => {
    const directory = directoryOf({ 'package.json': '{}', 'a.coffee': 'UP', 'hooks/coffee.cjs': hook('.coffee') });
    expect(await loadAll(directory, { nodeArgs: ['--require', path.join(directory, 'hooks/coffee.cjs')] })).toMatchObject([
      { name: 'a.coffee', up: 'up' },
    ]);
  });

  test('names file and line of what does not compile', async () => {
    const directory = directoryOf({ 'package.json': '{"type": "module"}', 'a.ts': `${typescript}\n\nexport const wrong = ;\n` });
    expect(await loadAll(directory)).toMatchObject([
      {
        error: {
          code: 'EM_MIGRATION_INVALID',
          findings: [{ code: 'migration-load', at: { file: path.join(directory, 'a.ts'), line: 7 } }],
        },
      },
    ]);
  });

  test.skipIf('typescript' in process.features && process.features.typescript)(
    'is refused with both ways out where neither can',
    async () => {
      const directory = directoryOf({ 'package.json': '{"type": "module"}', 'a.ts': typescript });
      const home = realpathSync(mkdtempSync(path.join(tmpdir(), 'em-without-tsx-')));
      cpSync(path.join(root, 'dist'), path.join(home, 'dist'), { recursive: true });
      const [loaded] = await loadAll(directory, { cwd: home }, home);
      expect(loaded?.error?.code).toBe('EM_TYPESCRIPT_UNSUPPORTED');
      expect(loaded?.error?.message).toContain(
        `${path.join(directory, 'a.ts')} is TypeScript, which Node ${process.version} cannot load by itself.`,
      );
      expect(loaded?.error?.message).toMatch(/Node 22\.18 or later, or install tsx/);
    },
  );
});

describe('a file that cannot be loaded', () => {
  const cases = {
    'a.cjs': { source: 'exports.up = 1;\n\nexports.down = ;\n', line: 3, message: "Unexpected token ';'" },
    'b.mjs': { source: 'export const up = 1;\n\nexport const down = ;\n', line: undefined, message: "Unexpected token ';'" },
    'c.mjs': { source: 'export const up = 1;\nnull.x;\n', line: 2, message: 'Cannot read properties of null' },
    'd.mjs': { source: "import './gone.js';\n", line: undefined, message: 'Cannot find module' },
    'e.mjs': { source: "\nimport { gone } from './f.mjs';\n", line: 2, message: "does not provide an export named 'gone'" },
    'f.mjs': { source: 'throw new Error("postgres://me:hunter2@db/x");\n', line: 1, message: 'postgres://me:***@db/x' },
    'g.mjs': { source: 'throw "text";\n', line: undefined, message: 'it cannot be loaded: text.' },
    'h.coffee': { source: 'up = ->', line: undefined, message: 'Unknown file extension ".coffee"' },
    'i.ts': { source: 'throw null;\n', line: undefined, message: 'it cannot be loaded: null.' },
  };

  test('is named with the reason, the line where the error has it, and the cause', async () => {
    const directory = directoryOf(Object.fromEntries(Object.entries(cases).map(([name, { source }]) => [name, source])));
    const loaded = await loadAll(directory);
    expect(loaded.map(({ name, error }) => ({ name, code: error?.code, line: error?.findings[0]?.at.line }))).toEqual(
      Object.entries(cases).map(([name, { line }]) => ({ name, code: 'EM_MIGRATION_INVALID', line })),
    );
    for (const { name, error } of loaded) {
      expect(error?.message).toContain(cases[name as keyof typeof cases].message);
      expect(error?.message).toContain(path.join(directory, name));
      expect(error?.findings).toMatchObject([{ code: 'migration-load', at: { migration: name, file: path.join(directory, name) } }]);
      expect(error?.caused).toBe(true);
    }
    expect(JSON.stringify(loaded)).not.toContain('hunter2');
  });
});

describe('a .sql migration', () => {
  test('is its text, with the way down beside it', async () => {
    const directory = directoryOf({
      'a.sql': 'create table a ();\r\n',
      'b.up.sql': '\uFEFFcreate table b ();',
      'b.down.sql': 'drop table b;',
      'c.up.sql': 'create table c ();',
    });
    const script = (file: string, text: string) => ({ file: path.join(directory, file), text });
    expect(await loadAll(directory)).toEqual([
      { name: 'a.sql', up: script('a.sql', 'create table a ();\r\n'), config: {}, entry: { file: 'a.sql', directory } },
      {
        name: 'b.up.sql',
        up: script('b.up.sql', 'create table b ();'),
        down: script('b.down.sql', 'drop table b;'),
        config: {},
        entry: { file: 'b.up.sql', directory },
      },
      { name: 'c.up.sql', up: script('c.up.sql', 'create table c ();'), config: {}, entry: { file: 'c.up.sql', directory } },
    ]);
  });

  test.each([
    ['-- transaction: false\nselect 1', { transaction: false }],
    ['--TRANSACTION:False\r\nselect 1', { transaction: false }],
    ['\n  --   transaction :  false  \nselect 1', { transaction: false }],
    ['-- Adds an index.\n--\n-- transaction: false\n-- breaking: false\nselect 1', { transaction: false, breaking: false }],
    ['-- breaking: true', { breaking: true }],
    ['\uFEFF-- transaction: false\n', { transaction: false }],
    ['-- transaction: we need none here\nselect 1', {}],
    ['select 1;\n-- transaction: false', {}],
    ['select 1 -- transaction: false', {}],
  ])('%j says %j', async (text, config) => {
    expect(await loadAll(directoryOf({ 'a.sql': text }))).toMatchObject([{ config }]);
  });

  test.each([
    [
      'a word that is neither true nor false',
      '-- transaction: no\n',
      'migration-config',
      'its comment says transaction: no, which is neither true nor false.',
    ],
    ['UTF-16', Buffer.from('\uFEFFselect 1', 'utf16le'), 'migration-unreadable', 'it is not UTF-8 text.'],
    ['Latin-1', Buffer.from("select 'é'", 'latin1'), 'migration-unreadable', 'it is not UTF-8 text.'],
    ['a zero byte', 'select 1;\0commit', 'migration-unreadable', 'it is not UTF-8 text.'],
  ])('with %s is refused', async (_what, content, code, message) => {
    const [loaded] = await loadAll(directoryOf({ 'a.sql': content }));
    expect(loaded?.error).toMatchObject({ code: 'EM_MIGRATION_INVALID', findings: [{ code, message, at: { migration: 'a.sql' } }] });
  });
});

interface Loaded {
  readonly name: string;
  readonly up?: unknown;
  readonly down?: unknown;
  readonly config?: unknown;
  readonly entry?: unknown;
  readonly error?: { code: string; message: string; findings: { at: { line?: number } }[]; caused: boolean };
}

/** Lists and loads a directory in a process of its own: vitest would load TypeScript and odd modules by itself. */
async function loadAll(directory: string, options: ScriptOptions = {}, home = root): Promise<Loaded[]> {
  const { stdout, stderr } = await runCode(
    `const { listMigrations } = await import(${JSON.stringify(path.join(home, 'dist/source/index.js'))});
    const migrations = await listMigrations({ directories: [${JSON.stringify(directory)}], sortDirsSeparately: false });
    const run = (code) => typeof code === 'function' ? code() : code;
    for (const migration of migrations) {
      const { name } = migration;
      try {
        const { up, down, config, knexEntry: entry } = await migration.load();
        console.log(JSON.stringify({ name, up: await run(up), down: typeof down === 'function' ? true : down, config, entry }));
      } catch (error) {
        const { code, message, findings, cause } = error;
        console.log(JSON.stringify({ name, error: { code, message, findings, caused: cause !== undefined } }));
      }
    }`,
    options,
  );
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  if (lines.length === 0) throw new Error(`nothing was loaded:\n${stderr}`);
  return lines.map((line) => JSON.parse(line) as Loaded);
}

function hook(extension: string): string {
  return `require.extensions['${extension}'] = (module) => module._compile("exports.up = () => 'up'; exports.down = () => {};", module.filename + '.js');`;
}
