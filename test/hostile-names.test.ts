import { describe, expect, test } from 'vitest';
import { downgrade, drift, history, lint, plan, preflight, repair, script, stamp, status, upgrade } from '../src/commands/index.js';
import type { Options } from '../src/index.js';
import { identifier } from '../src/sql.js';
import { createDatabase } from './support/servers.js';

// Names that would become SQL, or break it, wherever they were not quoted. `bait` stands in each database: it must be there at the end.
const names = {
  'quotes, statements, dollars, percent signs and bindings': `a"'; drop table bait; -- $1 $$ %I \\ ? ?? :name: {}`,
  'upper case, Unicode, a line break and a tab': 'Straße 数据 🐘\ntwo\t.',
  'a reserved word': 'select',
  'the greatest length': 'x'.repeat(53),
};

describe.each(Object.entries(names))('names with %s', (_, name) => {
  test('mean what they say through every verb: history table, schema, table and migration', async () => {
    const database = await createDatabase();
    await database.query('create table public.bait ()');
    await database.query(`create schema ${identifier(name)}`);
    const options = optionsOf(database.url, name);
    const both = [`1 ${lineOf(name)}`, `2 ${lineOf(name)}`];

    expect((await preflight(options)).findings.filter(({ level }) => level === 'error')).toEqual([]);
    expect((await plan(options)).steps.map((step) => step.name)).toEqual(both);
    expect((await lint(options)).migrations.map((each) => each.name)).toEqual(both);
    expect((await script(options)).migrations.map((each) => each.name)).toEqual(both);
    expect((await upgrade(options)).applied.map((each) => each.name)).toEqual(both);
    expect(await status(options)).toMatchObject({ inSync: true });
    expect((await drift(options)).objects).toEqual([]);
    expect((await history(options)).map((entry) => entry.name)).toEqual(both);
    expect(await downgrade(options, { target: { to: both[0]! }, confirm: async () => true })).toMatchObject({
      status: 'migrated',
      to: both[0],
    });
    expect(await stamp(options, { target: 'head', force: true, reason: 'a test' })).toBeDefined();
    await repair(options, { action: 'lock', reason: 'a test' });
    expect(await database.query('select relname from pg_class where relname = $1', ['bait'])).toHaveLength(1);
    expect(
      await database.query('select relname from pg_class where relname = $1 and relnamespace = $2::regnamespace', [name, identifier(name)]),
    ).toHaveLength(1);
  });
});

// A migration's name is one line, or it is refused (test/source/memory.test.ts).
const lineOf = (name: string): string => name.replaceAll(/[\n\t]/g, ' ');

function optionsOf(connection: string, name: string): Options {
  const made = `${identifier(name)}.${identifier(`t ${name}`)}`.replaceAll('?', '\\?');
  type Raw = { raw(sql: string): Promise<unknown> };
  const modules = {
    [`1 ${lineOf(name)}`]: {
      up: async (knex: Raw) => await knex.raw(`create table ${made} (id int)`),
      down: async (knex: Raw) => await knex.raw(`drop table ${made}`),
    },
    [`2 ${lineOf(name)}`]: {
      up: async (knex: Raw) => await knex.raw(`alter table ${made} add n int`),
      down: async (knex: Raw) => await knex.raw(`alter table ${made} drop n`),
    },
  };
  return {
    connection,
    logger: false,
    migrations: { tableName: name, schemaName: name, modules: modules },
    rules: { 'history-unmanaged': 'off' },
  };
}
