import { describe, expect, test } from 'vitest';
import type { MigrationsConfig } from '../../src/config/index.js';
import type { Backfill, MigrationModule } from '../../src/index.js';
import { listMigrations, type LoadedMigration } from '../../src/source/index.js';
import { configOf, refusalOf } from './fixture.js';

const up = async (): Promise<void> => undefined;
const down = async (): Promise<void> => undefined;

describe('modules of a bundle', () => {
  test('are listed in the code-unit order of their names, and no thunk is called', async () => {
    const thunk = (): never => {
      throw new Error('called');
    };
    const migrations = await listModules({ 'b.js': thunk, 'a.js': { up, down }, 'B.js': thunk });
    expect(migrations.map(({ name, id, file, checksum }) => ({ name, id, file, checksum }))).toEqual([
      { name: 'B.js', id: 'B', file: undefined, checksum: undefined },
      { name: 'a.js', id: 'a', file: undefined, checksum: undefined },
      { name: 'b.js', id: 'b', file: undefined, checksum: undefined },
    ]);
  });

  test('are named by the last part of a path, as import.meta.glob gives it', async () => {
    const migrations = await listModules({ './z/1.ts': { up }, './a/2.ts': { up } });
    expect(migrations.map(({ name }) => name)).toEqual(['1.ts', '2.ts']);
  });

  test.each([
    ['', 'empty'],
    ['1\n2', 'of two lines'],
    ['x'.repeat(256), 'of 256 characters'],
  ])('are refused with a name that the history cannot hold (%#)', async (name) => {
    const error = await refusalOf(listModules({ [name]: { up } }));
    expect(error).toMatchObject({ code: 'EM_MIGRATION_INVALID', findings: [{ code: 'migration-name' }] });
    expect(await listModules({ ['x'.repeat(255)]: { up } })).toHaveLength(1);
  });

  test('have a checksum only where the module at hand exports one', async () => {
    const checksums = (
      await listModules({ a: { up, checksum: 'v1' }, b: { default: { up, checksum: 'v2' } }, c: async () => ({ up, checksum: 'v3' }) })
    ).map(({ checksum }) => checksum);
    expect(checksums).toEqual(['module:v1', 'module:v2', undefined]);
  });

  test('are loaded once, also by a thunk', async () => {
    let calls = 0;
    const [migration] = await listModules({ a: async () => ({ up, calls: ++calls }) });
    expect(await migration?.load()).toBe(await migration?.load());
    expect(calls).toBe(1);
  });

  test('are refused when there is none, or one twice', async () => {
    expect((await refusalOf(listModules({}))).code).toBe('EM_NO_MIGRATIONS');
    expect((await refusalOf(listModules({ './a/1.js': { up }, './b/1.ts': { up } }))).findings).toMatchObject([
      { code: 'migration-duplicate' },
    ]);
  });

  test('are refused when the thunk fails', async () => {
    const cause = new Error('no chunk with password=hunter2 in it');
    const error = await refusalOf(loadOne(async () => await Promise.reject(cause)));
    expect(error).toMatchObject({
      code: 'EM_MIGRATION_INVALID',
      cause,
      findings: [{ code: 'migration-load', at: { migration: '0001_a.js' } }],
    });
    expect(error.findings[0]?.message).toBe('it cannot be loaded: no chunk with password=*** in it.');
  });
});

describe('a module', () => {
  test('gives up, down, verify, config and itself for the hooks of knex', async () => {
    const module = { up, down, verify: up, config: { transaction: false, breaking: true, requires: { extensions: ['citext'] } } };
    const loaded = await loadOne(module);
    expect(loaded).toMatchObject({ name: '0001_a.js', id: '0001_a', config: module.config, knexEntry: module });
    expect([typeof loaded.up, typeof loaded.down, typeof loaded.verify]).toEqual(['function', 'function', 'function']);
  });

  test('may say all that a file may, as the types have it', async () => {
    const module: MigrationModule = {
      up,
      config: { capture: false, safe: { 'drop-table': 'nobody reads it' }, requires: { backfills: ['cents'], onUnfinished: 'fail' } },
      backfills: { cents: { table: 'orders', set: 'cents = 1' } satisfies Backfill },
    };
    expect(await loadOne(module)).toMatchObject({ config: module.config, backfills: module.backfills });
  });

  test('may have no down, no verify and no config', async () => {
    expect(await loadOne({ up })).toMatchObject({ config: {}, down: undefined, verify: undefined });
  });

  test.each([
    ['its default export', { default: { up, config: { transaction: false } } }],
    ['the default export of a default export', { default: { default: { up, config: { transaction: false } } } }],
    ['both, where Node found only some names of a CommonJS module', { up, default: { up, config: { transaction: false } } }],
  ])('may stand in %s', async (_where, module) => {
    expect((await loadOne(module)).config).toEqual({ transaction: false });
  });

  test('is called as a method of what exports it, as by knex', async () => {
    class Base {
      readonly table = 'patients';
      up(): string {
        return this.table;
      }
    }
    const loaded = await loadOne(new Base());
    expect(await (loaded.up as (knex: never) => unknown)(undefined as never)).toBe('patients');
  });

  test.each([
    ['no up', { down, config: {} }, 'it exports no function up, only down, config.'],
    ['an up that is no function', { up: 'create table' }, 'it exports no function up, only up.'],
    ['nothing', {}, 'it exports nothing.'],
    ['undefined', undefined, 'it exports nothing.'],
  ])('with %s is refused', async (_what, module, message) => {
    const error = await refusalOf(loadOne(async () => module));
    expect(error.code).toBe('EM_MIGRATION_INVALID');
    expect(error.findings).toMatchObject([{ code: 'migration-shape', level: 'error', message, at: { migration: '0001_a.js' } }]);
  });

  test.each([
    ['a string for transaction', { transaction: 'false' }, ['its config.transaction is neither true nor false.']],
    ['null for breaking', { breaking: null }, ['its config.breaking is neither true nor false.']],
    ['a list for requires', { requires: 1 }, ['its config.requires is not an object.']],
    ['a name for extensions', { requires: { extensions: 'citext' } }, ['its config.requires.extensions is not a list of names.']],
    [
      'two wrong types',
      { transaction: 0, breaking: 1 },
      ['transaction', 'breaking'].map((key) => `its config.${key} is neither true nor false.`),
    ],
    ['no object', 'fast', ['its config is not an object.']],
  ])('with %s in its config is refused', async (_what, config, messages) => {
    const { findings } = await refusalOf(loadOne(async () => ({ up, config })));
    expect(findings.map(({ code, message }) => [code, message])).toEqual(messages.map((message) => ['migration-config', message]));
  });

  test('keeps keys of its config that are not ours', async () => {
    expect((await loadOne({ up, config: { owner: 'billing', safe: { 'drop-column': 'unused' } } })).config).toHaveProperty('owner');
  });
});

describe("knex's migrationSource", () => {
  const source = (names: readonly string[]) => ({
    getMigrations: async () => names.map((name) => ({ name })),
    getMigrationName: (entry: unknown) => (entry as { name: string }).name,
    getMigration: async (entry: unknown) => ({ up: () => (entry as { name: string }).name, down }),
  });
  const list = (migrationSource: MigrationsConfig['migrationSource'], loadExtensions?: readonly string[]) =>
    listMigrations(configOf({ migrationSource, loadExtensions }));

  test('gives the order and the names', async () => {
    const migrations = await list(source(['b', 'a.ts']));
    expect(migrations).toMatchObject([
      { name: 'b', id: 'b', file: undefined, checksum: undefined },
      { name: 'a.ts', id: 'a', file: undefined, checksum: undefined },
    ]);
  });

  test('gives the module and its own entry for the hooks', async () => {
    const loaded = await (await list(source(['b', 'a'])))[1]?.load();
    expect(loaded).toMatchObject({ name: 'a', knexEntry: { name: 'a' } });
    expect((loaded?.up as () => unknown)()).toBe('a');
  });

  test('is told the loadExtensions, by default those of knex', async () => {
    const told: (readonly string[])[] = [];
    const getMigrations = (extensions: readonly string[]) => (told.push(extensions), [{ name: 'a' }]);
    await list({ ...source([]), getMigrations });
    await list({ ...source([]), getMigrations }, ['.ts']);
    expect(told).toEqual([['.co', '.coffee', '.eg', '.iced', '.js', '.cjs', '.litcoffee', '.ls', '.ts'], ['.ts']]);
  });

  test('is refused when it gives nothing, fails, or gives a name twice', async () => {
    expect((await refusalOf(list(source([])))).code).toBe('EM_NO_MIGRATIONS');
    const failing = { ...source([]), getMigrations: async () => await Promise.reject(new Error('bucket gone')) };
    const error = await refusalOf(list(failing));
    expect(error).toMatchObject({ code: 'EM_NO_MIGRATIONS', cause: { message: 'bucket gone' } });
    expect((await refusalOf(list(source(['a', 'a'])))).code).toBe('EM_MIGRATION_INVALID');
  });

  test('is refused when a migration cannot be had', async () => {
    const failing = { ...source(['a']), getMigration: () => Promise.reject(new Error('bucket gone')) };
    const [migration] = await list(failing);
    expect((await refusalOf(migration?.load() ?? Promise.resolve())).findings).toMatchObject([
      { code: 'migration-load', at: { migration: 'a' } },
    ]);
  });
});

function listModules(modules: Readonly<Record<string, unknown>>) {
  return listMigrations(configOf({ modules: modules as NonNullable<MigrationsConfig['modules']> }));
}

async function loadOne(module: unknown): Promise<LoadedMigration> {
  const [migration] = await listModules({ '0001_a.js': module });
  if (migration === undefined) throw new Error('nothing was listed');
  return await migration.load();
}
