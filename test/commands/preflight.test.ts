import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { downgrade, preflight, upgrade } from '../../src/commands/index.js';
import { ensureMigrated, type Options } from '../../src/index.js';
import { holdersOf, poll, startBoot, waitUntilRuns } from '../support/boot.js';
import { makeDirectory } from '../support/directories.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { makeProject, names } from './fixture.js';

/** All that a preflight could leave behind: relations, their rows, locks and open transactions. */
async function tracesIn(database: TestDatabase): Promise<unknown> {
  const [relations] = await database.query(
    `select json_agg(relname order by relname) as names from pg_class where relnamespace = 'public'::regnamespace`,
  );
  const tables = ['knex_migrations', 'knex_migrations_lock', 'knex_migrations_journal'].filter((name) =>
    (relations?.['names'] as string[] | null)?.includes(name),
  );
  const rows = await Promise.all(tables.map(async (table) => await database.query(`select xmin::text, * from ${table} order by 1, 2`)));
  const open = await database.query(
    `select query from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'`,
  );
  return { relations, rows, open, holders: await holdersOf(database) };
}

async function codesOf(options: Options): Promise<(readonly [string, string])[]> {
  return (await preflight(options)).findings.map(({ code, level }) => [code, level] as const);
}

test('before a boot that would begin it says what that would apply, and changes nothing', async () => {
  const { database, options } = await makeProject();
  const empty = await tracesIn(database);
  expect(await preflight(options)).toEqual({
    ok: true,
    database: database.name,
    pending: [...names],
    breaking: [],
    backfills: [],
    findings: [],
    lock: undefined,
  });
  expect(await tracesIn(database)).toEqual(empty);
  await upgrade(options, { target: { steps: 3 } });
  const before = await tracesIn(database);
  expect(await preflight(options)).toMatchObject({ ok: true, pending: [names[3]], findings: [] });
  expect(await tracesIn(database)).toEqual(before);
  await upgrade(options);
  expect(await preflight(options)).toMatchObject({ ok: true, pending: [], findings: [] });
});

describe('all that a boot would refuse is told together', () => {
  const faulty = {
    '02_total.js': `throw new Error('not today');`,
    '03_index.js': `export const nothing = 1;`,
    '04_notes.up.sql': 'create table notes (id bigint);\ncommit;',
    '05_after.js': `export const up = async () => undefined; export const config = { transaction: false, requires: { extensions: ['nonesuch'] } };`,
  };

  test('what stands in the files, what cannot be planned, what the checks say, and a check that failed', async () => {
    const { database, options } = await makeProject(faulty);
    const checks: Options['checks'] = [{ name: 'always', run: () => Promise.reject(new Error('out of order')) }];
    const before = await tracesIn(database);
    const { ok, findings } = await preflight({ ...options, transaction: 'all', checks });
    expect(ok).toBe(false);
    expect(findings.map(({ code, level, at }) => [code, level, at?.migration])).toEqual([
      ['migration-load', 'error', '02_total.js'],
      ['migration-shape', 'error', '03_index.js'],
      ['boot-refused', 'error', undefined],
      ['migration-no-down', 'warn', '05_after.js'],
      ['sql-transaction-control', 'error', '04_notes.up.sql'],
      ['extension-unavailable', 'error', '05_after.js'],
      ['always', 'error', undefined],
    ]);
    expect(findings[2]).toMatchObject({
      message: `a boot ends with EM_PLAN_REFUSED: transaction: 'all' was asked for, but these migrations run outside a transaction: 05_after.js`,
      remedy: "Use transaction: 'each' for this release. Nothing was changed.",
    });
    expect(await tracesIn(database)).toEqual(before);
  });

  test('what does not match, beside what is pending, and drift', async () => {
    const { database, directory, options } = await makeProject({ '02_total.js': undefined });
    await upgrade(options);
    await writeFile(path.join(directory, '02_total.js'), faulty['02_total.js']);
    await writeFile(path.join(directory, names[2]), 'export const up = async () => undefined; export const down = up;');
    await database.query('alter table orders add column sneaked int');
    expect(await codesOf(options)).toEqual([
      ['history-edited', 'error'],
      ['history-out-of-order', 'warn'],
      ['migration-load', 'error'],
      ['schema-drift', 'warn'],
    ]);
    await expect(ensureMigrated(options)).rejects.toMatchObject({ code: 'EM_OUT_OF_SYNC' });
  });

  test('drift, which is no more than a remark', async () => {
    const { database, options } = await makeProject();
    await upgrade(options);
    await database.query('alter table orders add column sneaked int');
    expect(await codesOf(options)).toEqual([['schema-drift', 'warn']]);
    expect(await preflight({ ...options, rules: { 'schema-drift': 'error' } })).toMatchObject({ ok: false });
  });

  test('a directory that cannot be listed, and what the server says all the same', async () => {
    const { database, options } = await makeProject();
    const reader = await database.createRole();
    const migrations = await makeDirectory();
    const findings = await codesOf({ ...options, connection: reader.url, migrations });
    expect(findings).toEqual([
      ['boot-refused', 'error'],
      ['role-privileges', 'error'],
    ]);
    const twice = await makeDirectory({ '01_a.js': '', '01_a.cjs': '' });
    expect(await codesOf({ ...options, migrations: twice })).toEqual([['migration-duplicate', 'error']]);
  });

  test('a database that nobody manages, unless it is adopted; a baseline that means nothing', async () => {
    const { database, options } = await makeProject();
    await database.query('create table theirs (id int)');
    expect(await codesOf(options)).toEqual([['history-unmanaged', 'error']]);
    expect(await preflight({ ...options, baseline: '02_total' })).toMatchObject({ ok: true, pending: names.slice(2), findings: [] });
    expect(await codesOf({ ...options, baseline: 'nonsense' })).toEqual([
      ['boot-refused', 'error'],
      ['history-unmanaged', 'error'],
    ]);
  });

  test("knex's lock row, which a boot would wait for", async () => {
    const { database, options } = await makeProject();
    await upgrade(options, { target: { steps: 3 } });
    await database.query('update knex_migrations_lock set is_locked = 1');
    expect(await preflight(options)).toMatchObject({ ok: true, findings: [{ code: 'knex-locked', level: 'warn' }] });
  });

  test('what stopped half-way, but not what the next boot simply runs again', async () => {
    const half = `export const config = { transaction: false }; export const down = async () => undefined;
      export const up = async (knex) => { await knex.raw('alter table orders add column half int'); await knex.raw('drop table nowhere'); };`;
    const { database, options } = await makeProject({ '03_index.js': half });
    await expect(upgrade(options)).rejects.toMatchObject({ code: 'EM_MIGRATION_FAILED' });
    expect(await codesOf(options)).toEqual([['history-unfinished', 'error']]);
    await database.query(`update knex_migrations_journal set detail = detail || '{"kind": "read"}' where kind = 'statement'`);
    expect(await codesOf(options)).toEqual([]);
  });
});

describe('a role that may only look', () => {
  test('gets findings, and can change nothing', async () => {
    const { database, directory, options } = await makeProject();
    await upgrade(options, { target: { steps: 3 } });
    const reader = await database.createRole();
    await database.query(
      `revoke create on schema public from public; grant select on knex_migrations, knex_migrations_journal to "${reader.name}"`,
    );
    const before = await tracesIn(database);
    const { ok, pending, findings } = await preflight({ connection: reader.url, migrations: directory, logger: false });
    expect({ ok, pending }).toEqual({ ok: false, pending: [names[3]] });
    expect(findings.map(({ code, level }) => [code, level])).toEqual([
      ['role-privileges', 'error'],
      ['role-privileges', 'warn'],
    ]);
    expect(findings[0]?.message).toContain('may not insert on "public"."knex_migrations"');
    expect(await tracesIn(database)).toEqual(before);
  });

  test('whose transactions are read-only by default gets the answer that a boot would get', async () => {
    const { database, options } = await makeProject();
    await database.query(`alter database "${database.name}" set default_transaction_read_only = on`);
    const { ok } = await preflight(options);
    expect(await tracesIn(database)).toMatchObject({ rows: [] });
    await database.query(
      `begin; set transaction read write; alter database "${database.name}" reset default_transaction_read_only; commit`,
    );
    expect(ok).toBe(await ensureMigrated(options).then(({ status }) => status === 'migrated'));
  });
});

describe('while another session holds the migration lock', () => {
  const slow = {
    '05_slow.js': `export const config = { transaction: false };
      export const up = async (knex) => { await knex.raw('create table slow (id int)'); await knex.raw('select pg_sleep(300)'); };
      export const down = async () => undefined;`,
  };

  test('it answers at once and says who; what that session has begun is not unfinished', async () => {
    const { database, directory, options } = await makeProject(slow);
    const booting = startBoot({ connection: database.url, directory, application: { name: 'shop' } });
    const { pid } = await waitUntilRuns(database, 'pg_sleep');
    const started = performance.now();
    const result = await preflight({ ...options, timeouts: { lockMs: 60_000 } });
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(result).toMatchObject({ ok: true, pending: ['05_slow.js'], findings: [], lock: { pid, application: 'ensure-migrated/shop' } });
    expect(await holdersOf(database)).toEqual([pid]);
    await booting.kill();
    await poll(async () => ((await holdersOf(database)).length === 0 ? true : undefined));
    expect(await preflight(options)).toMatchObject({ ok: false, findings: [{ code: 'history-unfinished' }], lock: undefined });
  });
});

describeWithPgBouncer('behind PgBouncer', () => {
  test('it leaves no transaction open and nothing set, and says what only shows there', async () => {
    const { database, options } = await makeProject();
    const pooler = await startPgBouncer(database.url);
    const before = await tracesIn(database);
    const pooled = { ...options, connection: pooler.urlOf(database.url) };
    const { ok, findings } = await preflight(pooled);
    expect({ ok, codes: findings.map(({ code }) => code) }).toEqual({ ok: false, codes: ['boot-refused', 'pooler'] });
    expect(findings[0]?.message).toContain('cannot run outside a transaction behind a connection pooler: 03_index.js');
    expect(await tracesIn(database)).toEqual(before);
    expect(await preflight({ ...pooled, directConnection: database.url })).toMatchObject({ ok: true, findings: [] });
    const other = await createDatabase();
    expect(await preflight({ ...pooled, directConnection: other.url })).toMatchObject({
      ok: false,
      findings: [
        { code: 'boot-refused', message: expect.stringContaining('EM_CHECK_FAILED: directConnection leads to another place') as string },
      ],
    });
    expect(await tracesIn(database)).toEqual(before);
    const client = await database.connect(pooler.urlOf(database.url));
    expect(
      (
        await client.query(
          `select name from pg_settings where source = 'session' and name in ('statement_timeout', 'idle_session_timeout')`,
        )
      ).rows,
    ).toEqual([]);
  });
});

test('another database than the expected one is asked nothing', async () => {
  const { options } = await makeProject();
  await expect(preflight({ ...options, expect: { database: 'production' } })).rejects.toMatchObject({
    code: 'EM_CHECK_FAILED',
    findings: [{ code: 'identity' }],
  });
});

test('after a downgrade it sees what is pending again', async () => {
  const { options } = await makeProject();
  await upgrade(options);
  await downgrade(options, { target: { steps: 1 }, yes: true });
  expect(await preflight(options)).toMatchObject({ ok: true, pending: [names[3]], findings: [] });
});
