import { describe, expect, test } from 'vitest';
import { script } from '../../src/commands/index.js';
import { makeProject } from '../commands/fixture.js';
import { expectPrinted } from '../support/json-schemas.js';

describe('a script without a server', () => {
  test('refuses, by name and statement, each migration that needs an answer', async () => {
    const { database, options } = await makeProject({
      '02_total.js': `export const up = async (knex) => { if (await knex.schema.hasTable('x')) await knex.schema.dropTable('x'); };`,
      '05_rows.js': `export const up = async (knex) => { for (const { id } of await knex('orders').select('id')) await knex('orders').where({ id }).del(); };`,
      '06_done.js': `export const up = async () => { throw new Error('no token'); };`,
    });
    await expect(script(options)).rejects.toMatchObject({
      code: 'EM_SCRIPT_REFUSED',
      exitCode: 78,
      message: expect.stringMatching(
        /without running them:\n {2}02_total\.js: it needs the answer to `select \* from information_schema\.tables [^\n]+\n {2}05_rows\.js: it needs the answer to `select "id" from "orders"`\n {2}06_done\.js: it throws: no token\n {2}Give --scratch/,
      ) as string,
    });
    expect(await database.query(`select to_regclass('knex_migrations') as history`)).toEqual([{ history: null }]);
  });

  test('needs no connection, and none in its options', async () => {
    const { directory } = await makeProject();
    const quiet = { migrations: directory, logger: false } as const;
    const result = await script(quiet);
    expectPrinted('script', result);
    const { sql } = result;
    expect(sql).toMatch(/^-- Upgrade from base to 04_notes\.up\.sql: 4 migrations of /);
    expect(sql).toMatch(/^-- Made by ensure-migrated \d/m);
    await expect(script({ ...quiet, connection: 'postgres://nobody@127.0.0.1:1/none' })).resolves.toMatchObject({
      migrations: { length: 4 },
    });
  });

  test.each([
    ['base:base', /ends where it starts/],
    ['02_total:02_total', /ends where it starts/],
    ['a:b:c', /is no range/],
    ['nonsense', /the range 'nonsense' names no migration/],
    ['0:head', /the range '0' names several migrations/],
  ])('refuses the range %s', async (range, says) => {
    const { options } = await makeProject();
    await expect(script(options, { range })).rejects.toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringMatching(says) as string,
    });
  });

  test('refuses a way back that misses a down', async () => {
    const { options } = await makeProject({ '02_total.js': 'export const up = async () => undefined;' });
    await expect(script(options, { range: 'head:base' })).rejects.toMatchObject({ code: 'EM_PLAN_REFUSED' });
  });
});
