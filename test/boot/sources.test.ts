import { symlink } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import type { Knex } from 'knex';
import { describe, expect, test } from 'vitest';
import { startBoot } from '../support/boot.js';
import { makeDirectory } from '../support/directories.js';
import { root } from '../support/majors.js';
import { startScript } from '../support/process.js';
import { makeProject, moduleOf, type Project } from './project.js';

/** The same as an ES module. */
function esmOf(file: string): string {
  return moduleOf(file).replace(/exports\.(\w+) =/g, 'export const $1 =');
}

/** The same in TypeScript, with what Node cannot strip away. */
function typescriptOf(file: string): string {
  const head = `import type { Knex } from 'knex';\nenum Kind { Table = 'table' }\n`;
  return head + esmOf(file).replaceAll('async (knex)', 'async (knex: Knex, _kind = Kind.Table): Promise<void>');
}

function sqlOf(file: string): string {
  const name = file.replace(/(\.up)?\.sql$/, '');
  return `insert into ran (name) values ('${name}');\ncreate table "t_${name}" (id int);\n`;
}

/** Boots in a process of its own: a service in plain Node, with the built package. */
async function bootInProcess({ database }: Project, directory: string): Promise<Record<string, unknown>> {
  const script = startBoot({ connection: database.url, directory });
  await script.ended;
  return script.events().at(-1) ?? {};
}

const everyKind = {
  '01_cjs.cjs': moduleOf('01_cjs.cjs'),
  '02_js.js': moduleOf('02_js.js'),
  '03_mjs.mjs': esmOf('03_mjs.mjs'),
  '04_ts.ts': typescriptOf('04_ts.ts'),
  '05_sql.sql': sqlOf('05_sql.sql'),
  '06_updown.up.sql': sqlOf('06_updown.up.sql'),
  '06_updown.down.sql': 'drop table "t_06_updown";\n',
};
const recorded = Object.keys(everyKind).filter((name) => !name.endsWith('.down.sql'));
const ran = ['01_cjs', '02_js', '03_mjs', '04_ts', '05_sql', '06_updown'];

describe('a directory', () => {
  test('may hold .js, .cjs, .mjs, .ts (by tsx), .sql and .up.sql: each runs once, in order, under its file name', async () => {
    const project = await makeProject(everyKind);
    const booted = await bootInProcess(project, project.directory);
    expect(booted).toMatchObject({ event: 'service.ready', outcome: { status: 'migrated', applied: recorded.map((name) => ({ name })) } });
    const { findings } = booted['outcome'] as { findings: { code: string; at: { migration: string } }[] };
    expect(findings.filter(({ code }) => code === 'source-knex-invisible').map(({ at }) => at.migration)).toEqual(['03_mjs.mjs']);
    expect(await project.history()).toEqual(recorded);
    expect(await project.ran()).toEqual(ran);
    expect(await project.endings('apply', 'verify', 'wait')).toEqual({ apply: 'in-sync', verify: 'in-sync', wait: 'in-sync' });
  });
  test('.ts recorded in development, .js shipped: in sync, and the next one is recorded as .ts', async () => {
    const project = await makeProject({ '01_a.ts': typescriptOf('01_a.ts') });
    expect(await bootInProcess(project, project.directory)).toMatchObject({ outcome: { status: 'migrated' } });
    const shipped = await makeDirectory({ '01_a.js': moduleOf('01_a.js'), '02_b.js': moduleOf('02_b.js') });
    expect(await bootInProcess(project, shipped)).toMatchObject({ outcome: { status: 'migrated', applied: [{ name: '02_b.ts' }] } });
    expect(await bootInProcess(project, shipped)).toMatchObject({ outcome: { status: 'in-sync' } });
    await project.write({ '02_b.ts': typescriptOf('02_b.ts') });
    expect(await bootInProcess(project, project.directory)).toMatchObject({ outcome: { status: 'in-sync' } });
    expect(await project.history()).toEqual(['01_a.ts', '02_b.ts']);
    expect(await project.ran()).toEqual(['01_a', '02_b']);
    // knex in development sees the names that it would have written itself
    expect(await project.knex({ migrations: { loadExtensions: ['.ts'] } }).migrate.list()).toMatchObject([
      [{ name: '01_a.ts' }, { name: '02_b.ts' }],
      [],
    ]);
  });
});

describe('{ modules }', () => {
  test('of a bundle boot without any file, under the names that the directory had', async () => {
    const project = await makeProject('01_a.js', '02_b.js');
    const entry = `
      import { ensureMigrated } from ${JSON.stringify(path.join(root, 'dist/index.js'))};
      import * as first from './01_a.js';
      const modules = { './migrations/02_b.js': () => import('./02_b.js'), '01_a.js': first };
      const { status, applied } = await ensureMigrated({ migrations: { modules }, logger: false });
      console.log(JSON.stringify({ event: 'booted', status, names: applied.map(({ name }) => name) }));`;
    const directory = await makeDirectory();
    await symlink(path.join(root, 'node_modules'), path.join(directory, 'node_modules'));
    const outfile = path.join(directory, 'service.mjs');
    await build({
      stdin: { contents: entry, resolveDir: project.directory },
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      external: ['pg', 'knex', 'pino', 'p-retry', 'libpg-query'],
      logLevel: 'silent',
    });
    const run = async () => {
      const script = startScript(outfile, { env: { DATABASE_URL: project.database.url } });
      return await script.waitForEvent('booted');
    };
    expect(await run()).toMatchObject({ status: 'migrated', names: ['01_a.js', '02_b.js'] });
    expect(await run()).toMatchObject({ status: 'in-sync', names: [] });
    expect(await project.ending()).toBe('in-sync'); // from the directory
    expect(await project.ran()).toEqual(['01_a', '02_b']);
  });
  test('are edited when their checksum says so, and never without one', async () => {
    const project = await makeProject();
    const module = (checksum?: string) => ({
      up: async (knex: Knex) => void (await knex.raw('select 1')),
      down: () => undefined,
      ...(checksum && { checksum }),
    });
    const modules = (one: string, two?: string) => ({ migrations: { modules: { '01_a': module(one), '02_b': module(two) } } });
    expect(await project.ending(modules('v1'))).toMatch(/^migrated/);
    expect(await project.ending(modules('v1', 'now there is one'))).toBe('in-sync');
    expect(await project.ending(modules('v2'))).toBe('EM_OUT_OF_SYNC history-edited:error');
  });
});

describe('a migrationSource', () => {
  const source = (...names: string[]) => ({
    getMigrations: () => Promise.resolve(names.map((key) => ({ key }))),
    getMigrationName: (migration: unknown) => `${(migration as { key: string }).key}.from-code`,
    getMigration: (migration: unknown) => {
      const { key } = migration as { key: string };
      const up = async (knex: Knex) => void (await knex.schema.createTable(`t_${key}`, (table) => table.increments()));
      return Promise.resolve({ up, down: async (knex: Knex) => void (await knex.schema.dropTable(`t_${key}`)) });
    },
  });

  test('is asked for its order and names as knex asks it, and its own objects reach the hooks', async () => {
    const project = await makeProject();
    const seen: unknown[] = [];
    const beforeEach = (_knex: Knex, migrations: unknown[]) => void seen.push(...migrations);
    expect(await project.ending({ migrations: { migrationSource: source('b', 'a'), beforeEach } })).toBe('migrated');
    expect(await project.history()).toEqual(['b.from-code', 'a.from-code']);
    expect(seen).toEqual([{ key: 'b' }, { key: 'a' }]);
    const knex = project.knex({ migrations: { directory: undefined, migrationSource: source('b', 'a', 'c') } as object });
    expect(await knex.migrate.latest()).toEqual([2, ['c.from-code']]);
    expect(await project.ending({ migrations: { migrationSource: source('b', 'a', 'c') } })).toBe('in-sync');
  });
});

test('migrations may be given as file URLs', async () => {
  const project = await makeProject('01_a.js');
  expect(await project.ending({ migrations: pathToFileURL(project.directory) })).toBe('migrated');
  expect(await project.ending({ migrations: [pathToFileURL(project.directory).href] })).toBe('in-sync');
});
