import { expect, test } from 'vitest';
import { script, upgrade } from '../../src/commands/index.js';
import { ensureMigrated } from '../../src/index.js';
import { makeProject, names } from '../commands/fixture.js';
import { psqlTool, runPsql } from '../support/psql.js';
import { createDatabase } from '../support/servers.js';
import { describeWith } from '../support/tools.js';
import { contentsOf, differences, historyOf } from './fixture.js';

const asking = {
  '02_total.js': `
    export const up = async (knex) => {
      if (await knex.schema.hasColumn('orders', 'customer')) await knex.schema.alterTable('orders', (t) => t.integer('total').defaultTo(7));
      const [{ id }] = await knex('orders').insert({ customer: "it's new" }).returning('id');
      await knex('orders').where({ id }).update({ customer: 'number ' + id });
    };
    export const verify = async (knex) => void (await knex('orders').select('id'));
    export const down = async (knex) => { if (await knex.schema.hasColumn('orders', 'total')) await knex.schema.alterTable('orders', (t) => t.dropColumn('total')); };`,
};

describeWith(psqlTool, 'a script with a scratch database', () => {
  test('has what the migrations sent there, and leaves what an upgrade leaves', async () => {
    const { database, directory, options } = await makeProject(asking);
    const other = await createDatabase();
    await expect(script(options)).rejects.toMatchObject({ code: 'EM_SCRIPT_REFUSED' });
    const { sql } = await script(options, { scratch: true });
    expect(await contentsOf(database)).toEqual({});
    expect(
      await database.query(
        `select datname from pg_database where datname ~ ('^em_s_' || (select oid from pg_database where datname = current_database()))`,
      ),
    ).toEqual([]);
    expect(sql).toContain('-- as it ran in a scratch database without data: it needs the answer to');
    expect(sql).not.toMatch(/^select .* from information_schema/m);
    expect(await runPsql(database.url, sql)).toMatchObject({ code: 0, stderr: '' });
    await upgrade({ ...options, connection: other.url });
    expect(await differences(database, other)).toEqual([]);
    expect(await historyOf(database)).toEqual(await historyOf(other));
    expect(await database.query('select * from orders order by id')).toEqual(await other.query('select * from orders order by id'));
    await expect(ensureMigrated({ connection: database.url, migrations: directory, logger: false, mode: 'verify' })).resolves.toMatchObject(
      { status: 'in-sync' },
    );
  });

  test('has nothing of what the hooks around the set send', async () => {
    const { directory, options } = await makeProject({ ...asking, '03_index.js': undefined });
    const hook = async (knex: { raw(sql: string): Promise<unknown> }): Promise<void> => void (await knex.raw(`select 'the hook'`));
    const migrations = { directory, beforeAll: hook, afterAll: hook };
    const { sql } = await script({ ...options, migrations, transaction: 'all' }, { scratch: true });
    expect(sql).toContain('as it ran in a scratch database');
    expect(sql).not.toContain('the hook');
  });

  test('can start anywhere: those before are run there too', async () => {
    const { database, options } = await makeProject(asking);
    await upgrade(options, { target: { steps: 1 } });
    const { sql, migrations } = await script(options, { range: 'orders:head', scratch: true });
    expect(migrations.map(({ name }) => name)).toEqual(names.slice(1));
    expect(await runPsql(database.url, sql)).toMatchObject({ code: 0, stderr: '' });
    expect(await historyOf(database)).toMatchObject({ history: { length: 4 } });
  });

  test('still refuses what no text can say, and a way down that asks', async () => {
    const copies = {
      '05_copy.js': `export const up = async (knex) => { await knex.raw('copy orders to stdout').catch(() => undefined); };`,
    };
    const { database, options } = await makeProject({ ...asking, ...copies });
    const refused = { code: 'EM_SCRIPT_REFUSED', remedy: expect.stringMatching(/^Run `(up|down)grade` instead/) as string };
    await expect(script(options, { scratch: true })).rejects.toMatchObject(refused);
    await expect(script(options, { range: '04:base', scratch: true })).rejects.toMatchObject(refused);
    expect(await contentsOf(database)).toEqual({});
  });
});
