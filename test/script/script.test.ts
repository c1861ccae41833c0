import path from 'node:path';
import { expect, test } from 'vitest';
import { downgrade, repair, script, upgrade } from '../../src/commands/index.js';
import { ensureMigrated } from '../../src/index.js';
import { makeProject, names } from '../commands/fixture.js';
import { makeDirectory } from '../support/directories.js';
import { root } from '../support/majors.js';
import { startProxy } from '../support/proxy.js';
import { psqlTool, runPsql } from '../support/psql.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { describeWith } from '../support/tools.js';
import { contentsOf, differences, historyOf } from './fixture.js';
import { everything } from './set.js';

const logger = false;
const ran = { code: 0, stderr: '' };

async function expectInSync(database: TestDatabase, migrations: string): Promise<void> {
  const proxy = await startProxy(database.url);
  await expect(ensureMigrated({ connection: proxy.urlOf(database.url), migrations, logger, mode: 'verify' })).resolves.toMatchObject({
    status: 'in-sync',
    findings: [],
  });
  expect(proxy.counts()).toMatchObject({ connections: 1, roundTrips: 1 });
}

describeWith(psqlTool, 'a script that psql runs', () => {
  test.each([
    ['the example', async () => path.join(root, 'migrations')],
    ['most of the schema builder, and SQL', async () => await makeDirectory(everything)],
  ])('leaves what an upgrade leaves: %s', async (_what, make) => {
    const migrations = await make();
    const [one, other] = [await createDatabase(), await createDatabase()];
    await upgrade({ connection: one.url, migrations, logger });
    const { sql, migrations: scripted } = await script({ migrations, logger });
    expect(await runPsql(other.url, sql)).toMatchObject(ran);
    expect(await differences(one, other)).toEqual([]);
    expect(await historyOf(other)).toEqual(await historyOf(one));
    expect(scripted.every(({ statementCount }) => statementCount > 0)).toBe(true);
    await expectInSync(one, migrations);
    await expectInSync(other, migrations);
  });

  test('leaves the same rows, as values of every kind', async () => {
    const migrations = await makeDirectory(everything);
    const [one, other] = [await createDatabase(), await createDatabase()];
    await upgrade({ connection: one.url, migrations, logger });
    await runPsql(other.url, (await script({ migrations, logger })).sql);
    for (const rows of [
      `select to_jsonb(p) - '{key,created_at,updated_at}'::text[] as row from people p order by id`,
      'select * from visits order by id',
      'select * from audit.log order by id',
      'select * from audit.in_audit',
      `select nextval('visits_id_seq')`,
    ])
      expect(await other.query(rows)).toEqual(await one.query(rows));
  });

  test('goes on from where another has ended, in a batch of its own, and back again', async () => {
    const { database, directory, options } = await makeProject();
    const other = await createDatabase();
    await upgrade({ ...options, connection: other.url }, { target: { steps: 2 } });
    await upgrade({ ...options, connection: other.url });
    for (const range of [':02_total', '02_total:'])
      expect(await runPsql(database.url, (await script(options, { range })).sql)).toMatchObject(ran);
    expect(await differences(database, other)).toEqual([]);
    expect(await historyOf(database)).toEqual(await historyOf(other));
    await expectInSync(database, directory);

    const { sql, migrations } = await script(options, { range: 'head:orders' });
    expect(migrations.map(({ name, direction }) => [name, direction])).toEqual(
      [names[3], names[2], names[1]].map((name) => [name, 'down']),
    );
    expect(await runPsql(database.url, sql)).toMatchObject(ran);
    await downgrade({ ...options, connection: other.url }, { target: { to: 'orders' }, yes: true });
    expect(await differences(database, other)).toEqual([]);
    expect(await historyOf(database)).toMatchObject({ history: [{ name: names[0], batch: 1 }], locks: [{ is_locked: 0 }] });
    expect(await upgrade(options)).toMatchObject({
      status: 'migrated',
      applied: [{ name: names[1] }, { name: names[2] }, { name: names[3] }],
      findings: [],
    });
    expect(await runPsql(database.url, (await script(options, { range: 'head:base' })).sql)).toMatchObject(ran);
    expect(await historyOf(database)).toMatchObject({ history: [] });
    await expect(ensureMigrated(options)).resolves.toMatchObject({ status: 'migrated', findings: [] });
  });

  test('waits for a table no longer than 2 s, whatever the role says, but as long as it takes for a concurrent index', async () => {
    const seen = (name: string) => `insert into seen select '${name}', current_setting('lock_timeout');`;
    const migrations = await makeDirectory({
      '01_in.sql': `create table seen (name text, lock_timeout text); ${seen('in a transaction')}`,
      '02_out.sql': `-- transaction: false\ncreate index concurrently seen_name on seen (name);\n${seen('after an index')}`,
    });
    const database = await createDatabase();
    await database.query(`alter database ${database.name} set lock_timeout = '1h'`);
    const { sql } = await script({ migrations, logger });
    expect(await runPsql(database.url, sql)).toMatchObject(ran);
    expect(await database.query('select * from seen')).toEqual([
      { name: 'in a transaction', lock_timeout: '2s' },
      { name: 'after an index', lock_timeout: '2s' },
    ]);
    expect(sql).toMatch(/set lock_timeout = 0;\s+create index concurrently/);
  });

  test('keeps the history where the options say', async () => {
    const { directory } = await makeProject();
    const [one, other] = [await createDatabase(), await createDatabase()];
    const options = { migrations: { directory, tableName: 'my "history"', schemaName: 'Own' }, logger } as const;
    for (const database of [one, other]) await database.query('create schema "Own"');
    await upgrade({ ...options, connection: one.url });
    expect(await runPsql(other.url, (await script(options)).sql)).toMatchObject(ran);
    const rows = 'select name, batch from "Own"."my ""history""" order by id';
    expect(await other.query(rows)).toEqual(await one.query(rows));
    await expect(ensureMigrated({ ...options, connection: other.url, mode: 'verify' })).resolves.toMatchObject({ status: 'in-sync' });
  });

  test.each<[string, (database: TestDatabase, options: Awaited<ReturnType<typeof makeProject>>['options']) => Promise<unknown>, RegExp]>([
    [
      'that is past its start',
      async (_, options) => await upgrade(options, { target: { steps: 1 } }),
      /stands elsewhere: applied besides: 01_orders\.js/,
    ],
    [
      'that it has brought to its end already',
      async (database, options) => await runPsql(database.url, (await script(options)).sql),
      /stands elsewhere: applied besides/,
    ],
    [
      'that knex is at work on',
      async (database) =>
        await database.query(
          'create table knex_migrations_lock (index serial primary key, is_locked int); insert into knex_migrations_lock values (1, 1)',
        ),
      /knex's own lock is set/,
    ],
    [
      'in which a migration has stopped half-way',
      async (database, options) => {
        await upgrade(options, { target: { steps: 1 } });
        await downgrade(options, { target: 'base', yes: true });
        const stopped = JSON.stringify({ direction: 'up', status: 'unfinished' });
        const entry = `insert into knex_migrations_journal (run, kind, migration, detail) values (gen_random_uuid(), 'attempt', '01_orders.js', $1)`;
        await database.query(entry, [stopped]);
      },
      /stopped half-way outside a transaction: 01_orders/,
    ],
  ])('refuses a database %s, and changes nothing', async (_what, prepare, says) => {
    const { database, options } = await makeProject();
    await prepare(database, options);
    const before = await contentsOf(database);
    const { code, stderr } = await runPsql(database.url, (await script(options)).sql);
    expect(code).toBe(3);
    expect(stderr).toMatch(says);
    expect(await contentsOf(database)).toEqual(before);
  });

  test('refuses a database that is behind its start', async () => {
    const { database, options } = await makeProject();
    const { stderr } = await runPsql(database.url, (await script(options, { range: 'total:head' })).sql);
    expect(stderr).toMatch(/this script starts at 02_total\.js, and the database stands elsewhere: not applied: 01_orders, 02_total/);
    expect(await contentsOf(database)).toEqual({});
  });

  test('refuses while somebody migrates, by the lock of a boot, and lets go of it at its end', async () => {
    const { database, options } = await makeProject();
    const holder = await database.connect();
    const { lockKey } = await import('../../src/lock.js');
    const { tablesOf } = await import('../../src/history/index.js');
    const { namespace, key } = lockKey({ schema: 'public' } as never, tablesOf({ tableName: 'knex_migrations', schemaName: undefined }));
    await holder.query('select pg_advisory_lock($1, $2)', [namespace, key]);
    const { sql } = await script(options);
    expect(await runPsql(database.url, sql)).toMatchObject({ code: 3, stderr: expect.stringContaining('somebody is migrating') as string });
    expect(await contentsOf(database)).toEqual({});
    await holder.query('select pg_advisory_unlock_all()');
    const after = `${sql}\nselect count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid();`;
    expect((await runPsql(database.url, after)).stdout).toMatch(/\n +0\n\(1 row\)\s*$/);
  });

  test('passes over what is applied when it is idempotent, and is nothing the second time', async () => {
    const { database, directory, options } = await makeProject();
    await upgrade(options, { target: { steps: 2 } });
    const { sql } = await script(options, { idempotent: true });
    expect(await runPsql(database.url, sql)).toMatchObject(ran);
    await expectInSync(database, directory);
    const before = await contentsOf(database);
    expect(await runPsql(database.url, sql)).toMatchObject(ran);
    expect(await contentsOf(database)).toEqual(before);
    const down = await script(options, { range: 'head:base', idempotent: true });
    expect(await runPsql(database.url, down.sql)).toMatchObject(ran);
    expect(await historyOf(database)).toMatchObject({ history: [] });
    expect(await runPsql(database.url, down.sql)).toMatchObject(ran);
  });

  test('stops at the first error: what was committed is in the history, and the next boot goes on', async () => {
    const failing = `export const up = async (knex) => { await knex.raw('create table half ()'); await knex.raw('select 1/0'); };`;
    const { database, directory, options } = await makeProject({ '02_total.js': failing });
    expect(await runPsql(database.url, (await script(options)).sql)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('division by zero') as string,
    });
    expect(await database.query(`select name, to_regclass('half') as half from knex_migrations`)).toEqual([{ name: names[0], half: null }]);
    const { directory: mended } = await makeProject();
    await expect(ensureMigrated({ ...options, migrations: mended })).resolves.toMatchObject({ status: 'migrated', applied: { length: 3 } });
    await expectInSync(database, mended);
    expect(directory).not.toBe(mended);
  });

  test('that stops half-way outside a transaction is unfinished for the next boot; a concurrent index is simply gone on with', async () => {
    const half = `export const config = { transaction: false };
      export const up = async (knex) => { await knex.raw('create table half ()'); await knex.raw('select 1/0'); };`;
    const { database, options } = await makeProject({ '03_index.js': half });
    const { sql } = await script(options);
    expect(await runPsql(database.url, sql)).toMatchObject({ code: 3 });
    await expect(ensureMigrated(options)).rejects.toMatchObject({ code: 'EM_OUT_OF_SYNC', findings: [{ code: 'history-unfinished' }] });
    const rest = await script(options, { range: 'total:head' });
    expect(await runPsql(database.url, rest.sql)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('stopped half-way outside a transaction: 03_index') as string,
    });

    await database.query('drop table half');
    await repair(options, { action: 'undone', migration: '03_index', reason: 'dropped by hand', yes: true });
    expect(await runPsql(database.url, rest.sql)).toMatchObject({ code: 3, stderr: expect.stringContaining('division by zero') as string });

    const whole = await makeProject();
    const cut = (await script(whole.options)).sql.replace(/^(create index concurrently [^;]+;)/m, '$1\n\\quit\n');
    expect(await runPsql(whole.database.url, cut)).toMatchObject(ran);
    expect(await historyOf(whole.database)).toMatchObject({ history: [{ name: names[0] }, { name: names[1] }], locks: [{ is_locked: 1 }] });
    const events: string[] = [];
    const onProgress = ({ event }: { event: string }) => void events.push(event);
    await expect(ensureMigrated({ ...whole.options, onProgress })).resolves.toMatchObject({ status: 'migrated', applied: { length: 2 } });
    expect(events).toContain('step.adopted');
    await expectInSync(whole.database, whole.directory);
  });
});
