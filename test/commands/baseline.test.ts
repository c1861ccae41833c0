import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { baseline, downgrade, status, upgrade } from '../../src/commands/index.js';
import { tablesOf, type Facts } from '../../src/history/index.js';
import { ensureMigrated, isMigrationError, type MigrationError, type Options } from '../../src/index.js';
import { lockKey } from '../../src/lock.js';
import { poll, waitUntilBlocked } from '../support/boot.js';
import { runCli } from '../support/cli.js';
import { describeWithClientTools, dumpableMajor, dumpOf, undumpableMajor } from '../support/client-tools.js';
import { makeDirectory } from '../support/directories.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { startProxy } from '../support/proxy.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { expectPrinted } from '../support/json-schemas.js';

// What a database grows without migrations. The names are such that a script which is cut at the wrong place shows it.
const grown = `
  create schema clinic;
  comment on schema clinic is 'a quote '' and a
SET row_security = off;
line';
  create type clinic.status as enum ('new', 'seen');
  create domain clinic.email as text check (value like '%@%');
  create table clinic.patients (
    id bigint generated always as identity primary key, name text not null, mail clinic.email unique, status clinic.status not null default 'new',
    born date, tags text[] default '{}', constraint grown check (born < '2100-01-01'));
  create table "Visits" ("Id" serial primary key, patient bigint references clinic.patients on delete cascade deferrable, at timestamptz default now());
  create table readings (at date not null, value numeric(10, 2)) partition by range (at);
  create table readings_2024 partition of readings for values from ('2024-01-01') to ('2025-01-01');
  create index readings_at on readings (at desc);
  create unique index on clinic.patients (lower(name)) where status = 'seen';
  create function clinic.touch() returns trigger language plpgsql as $body$
begin
SET LOCAL row_security = off;
CREATE SCHEMA IF NOT EXISTS clinic;
  new.name = trim(new.name); -- \\restrict
  return new;
end $body$;
  create trigger touch before insert or update on clinic.patients for each row execute function clinic.touch();
  create function clinic.one() returns bigint language sql as 'select 1::bigint';
  create view seen as select id, name from clinic.patients where status = 'seen';
  create materialized view counts as select status, count(*) as total from clinic.patients group by status;
  create materialized view totals as select sum(total) as total from counts;
  create unique index on counts (status);
  create sequence loose start 100 increment 5;
  alter table "Visits" enable row level security;
  create policy own on "Visits" using (patient > 0);
  comment on table "Visits" is 'who came; \\restrict'; comment on column clinic.patients.mail is 'E';
  insert into clinic.patients (name, mail) values ('Ada', 'ada@example.org');
`;

interface Place {
  readonly database: TestDatabase;
  readonly directory: string;
  readonly options: Options;
}

async function makePlace(sql: string, files: Readonly<Record<string, string>> = {}): Promise<Place> {
  const database = await createDatabase({ major: dumpableMajor });
  if (sql !== '') await database.query(sql);
  const directory = await makeDirectory(files);
  return { database, directory, options: { connection: database.url, migrations: directory, logger: false } };
}

async function failureOf(work: Promise<unknown>): Promise<MigrationError> {
  const error: unknown = await work.catch((thrown: unknown) => thrown);
  if (!isMigrationError(error)) throw new Error('it did not fail', { cause: error });
  return error;
}

/** Takes the migration lock of the database's history, as another process would. */
async function holdLock(database: TestDatabase): Promise<{ release(): Promise<void> }> {
  const holder = await database.connect();
  const { namespace, key } = lockKey({ schema: 'public' } as Facts, tablesOf({ tableName: 'knex_migrations', schemaName: undefined }));
  await holder.query('select pg_advisory_lock($1, $2)', [namespace, key]);
  return { release: async () => void (await holder.query('select pg_advisory_unlock_all()')) };
}

/** The schema as pg_dump has it, without our own tables. */
function schemaOf(database: TestDatabase): string {
  return dumpOf(database, ['--schema-only', '--exclude-table=knex_migrations*']);
}

/** Nothing is recorded, no file is there, no scratch database is left. */
async function expectUntouched({ database, directory }: Place, files: readonly string[] = []): Promise<void> {
  expect(await readdir(directory)).toEqual(files);
  expect(await database.query(`select to_regclass('knex_migrations') as history`)).toEqual([{ history: null }]);
  expect(
    await database.query(
      `select datname from pg_database where datname like 'em\\_s\\_' || (select oid from pg_database where datname = current_database()) || '\\_%'`,
    ),
  ).toEqual([]);
}

describeWithClientTools('a baseline without migrations', () => {
  test('writes the schema as the first migration and records it; from the same files a fresh database comes out the same', async () => {
    const place = await makePlace(grown);
    const { database, directory, options } = place;
    const role = await database.createRole();
    await database.query(`grant select, update (name) on clinic.patients to ${role.name}; grant usage on schema clinic to ${role.name} with grant option;
      alter default privileges in schema clinic grant select on tables to ${role.name}; revoke execute on function clinic.touch() from public`);
    const before = schemaOf(database);
    const { file, ...result } = await baseline(options);
    expectPrinted('baseline', { file, ...result });
    const [down = '', name = ''] = (await readdir(directory)).sort();
    expect(name).toMatch(/^20\d{12}_baseline\.up\.sql$/);
    expect(down).toBe(name.replace('.up.', '.down.'));
    expect(file).toBe(path.join(directory, name));
    expect(result).toMatchObject({
      before: [],
      after: [name],
      recorded: [name],
      unrecorded: [],
      proof: { status: 'proved', findings: [] },
    });
    expect(result.proof.comparedCount).toBeGreaterThan(50);
    expect(schemaOf(database)).toBe(before);
    expect(await database.query('select name, batch from knex_migrations')).toEqual([{ name, batch: null }]);
    expect(await database.query('select name from clinic.patients')).toEqual([{ name: 'Ada' }]);

    const text = await readFile(path.join(directory, name), 'utf8');
    expect(text).not.toMatch(/knex_migrations|OWNER TO|^\\restrict|statement_timeout/m);

    const proxy = await startProxy(database.url);
    expect(await ensureMigrated({ ...options, connection: proxy.urlOf(database.url) })).toMatchObject({ status: 'in-sync' });
    expect(proxy.counts()).toMatchObject({ roundTrips: 1 });
    expect(await status(options)).toMatchObject({ inSync: true, drifted: false, findings: [] });

    const fresh = await createDatabase({ major: dumpableMajor });
    const rules = { 'fk-missing-index': 'off' } as const; // which the schema has
    expect(await ensureMigrated({ ...options, connection: fresh.url, rules })).toMatchObject({
      status: 'migrated',
      to: name,
      findings: [],
    });
    expect(schemaOf(fresh)).toBe(before);
    expect(await fresh.query('select * from totals')).toEqual([{ total: null }]); // filled: it can be read

    const another = { ...options, connection: fresh.url };
    expect(await downgrade(another, { target: 'base', yes: true })).toMatchObject({ reverted: [{ name }] });
    const empty = await createDatabase({ major: dumpableMajor });
    expect(schemaOf(fresh).split(/^-- Dumped by/m)[1]).toBe(schemaOf(empty).split(/^-- Dumped by/m)[1]);
    expect(await upgrade(another)).toMatchObject({ applied: [{ name }] });
    expect(schemaOf(fresh)).toBe(before);
  });

  test('the next migration runs on the adopted database and on a fresh one alike (the guide\'s empty "baseline" fails there)', async () => {
    const { database, directory, options } = await makePlace('create table patients (id int primary key); create table app_log (at date)');
    const { file } = await baseline(options);
    await writeFile(path.join(directory, '99999999999999_email.sql'), 'alter table patients add column email text;\n');
    const fresh = await createDatabase({ major: dumpableMajor });
    for (const each of [database, fresh]) {
      expect(await upgrade({ ...options, connection: each.url })).toMatchObject({ status: 'migrated', to: '99999999999999_email.sql' });
    }
    expect(schemaOf(fresh)).toBe(schemaOf(database));
    expect(await fresh.query('select name from knex_migrations order by id')).toEqual([
      { name: path.basename(file ?? '') },
      { name: '99999999999999_email.sql' },
    ]);
  });

  test('passes over the empty tables that knex has made, and has its history in a schema of its own', async () => {
    const { database, directory, options } = await makePlace(
      `create schema ops; create table ops.things (id int);
       create table ops.knex_migrations (id serial primary key, name varchar(255), batch integer, migration_time timestamptz);
       create table ops.knex_migrations_lock (index serial primary key, is_locked integer); insert into ops.knex_migrations_lock (is_locked) values (0)`,
    );
    const own = { ...options, migrations: { directory, schemaName: 'ops' } };
    const { file = '' } = await baseline(own);
    expect(await readFile(file, 'utf8')).not.toContain('knex_migrations');
    expect(await database.query('select count(*)::int as rows from ops.knex_migrations')).toEqual([{ rows: 1 }]);
    const fresh = await createDatabase({ major: dumpableMajor });
    await fresh.query('create schema ops');
    expect(await ensureMigrated({ ...own, connection: fresh.url })).toMatchObject({ status: 'migrated' });
    expect(await fresh.query(`select to_regclass('ops.things')::text as table`)).toEqual([{ table: 'ops.things' }]);
  });

  test('of another owner, and beside the history of another service, is proved all the same', async () => {
    const { database, directory, options } = await makePlace(`create schema other;
      create table other.knex_migrations (id serial primary key, name varchar(255), batch integer, migration_time timestamptz);
      create table other.knex_migrations_lock (index serial primary key, is_locked integer)`);
    const owner = await database.createRole();
    await database.query(`create schema owned authorization ${owner.name}; set role ${owner.name}; create table owned.t (id int);
      grant select on owned.t to public; alter default privileges in schema owned grant select on tables to public`);
    expect(await baseline(options)).toMatchObject({ proof: { status: 'proved' } });
    expect(await readdir(directory)).toHaveLength(2);
  });

  test('writes no passwords into the file, and adopts a database with foreign servers', async () => {
    const { options } = await makePlace(
      `create foreign data wrapper other; create server elsewhere foreign data wrapper other;
       create user mapping for current_user server elsewhere options (user 'u', password 'hunter2'); create table t ()`,
    );
    const { file = '' } = await baseline(options);
    const text = await readFile(file, 'utf8');
    expect(text).toContain('CREATE SERVER elsewhere');
    expect(text).not.toContain('hunter2');
  });

  test('that would not build the schema as it is by now is refused with the differences, and leaves nothing behind', async () => {
    const place = await makePlace('create table kept (id int)');
    const heard = new Set<string>();
    const lock = await holdLock(place.database);
    const work = failureOf(baseline({ ...place.options, onProgress: ({ event }) => void heard.add(event) }));
    await poll(() => Promise.resolve(heard.has('lock.waiting') ? true : undefined)); // the schema is dumped and built by now
    await place.database.query('create table late (id int); alter table kept add column more int');
    await lock.release();
    const error = await work;
    expect(error).toMatchObject({
      code: 'EM_SCHEMA_DIFFERS',
      message: expect.stringContaining('the migrations do not make the schema') as string,
    });
    expect(error.findings.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      'schema-extra: column public.kept.more is there, and the migrations do not leave it',
      'schema-extra: table public.late is there, and the migrations do not leave it',
    ]);
    await expectUntouched(place);
  });

  test('refuses what it cannot adopt, each with the way out', async () => {
    const empty = await makePlace('');
    expect(await failureOf(baseline(empty.options))).toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringContaining('there is nothing in this database to adopt') as string,
    });
    await expectUntouched(empty);
    const filled = await makePlace('create table t ()', { '01_a.sql': 'create table t ();' });
    expect(await failureOf(baseline(filled.options))).toMatchObject({
      code: 'EM_PLAN_REFUSED',
      remedy: expect.stringContaining('baseline --at <revision>') as string,
    });
    await expectUntouched(filled, ['01_a.sql']);
    const modules = { ...filled.options, migrations: { modules: { a: { up: () => undefined, down: () => undefined } } } };
    expect(await failureOf(baseline(modules))).toMatchObject({ message: expect.stringContaining('is written as a .sql file') as string });
    const known = await makePlace('', { '01_a.sql': 'create table t ();' });
    await upgrade(known.options);
    expect(await failureOf(baseline(known.options, { at: '01_a' }))).toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringContaining('this database has a history: 1 migration') as string,
    });
  });

  test('needs CREATEDB, and says which grant; the file is removed', async () => {
    const place = await makePlace('create table t ()');
    const role = await place.database.createRole();
    await place.database.query(`grant all on schema public to ${role.name}; grant all on all tables in schema public to ${role.name}`);
    expect(await failureOf(baseline({ ...place.options, connection: role.url }))).toMatchObject({
      code: 'EM_SCRATCH_UNAVAILABLE',
      remedy: expect.stringMatching(/alter role ".*" createdb;/) as string,
    });
    await expectUntouched(place);
  });

  test('told to stop removes the file and the scratch database', async () => {
    const place = await makePlace('create table t (id int)');
    const stop = new AbortController();
    const holder = await place.database.connect();
    await holder.query('begin; lock table t in access exclusive mode');
    const work = failureOf(baseline({ ...place.options, signal: stop.signal }));
    await waitUntilBlocked(place.database);
    stop.abort();
    expect(await work).toMatchObject({ code: 'EM_ABORTED' });
    await holder.query('rollback');
    await expectUntouched(place);
  });
});

describeWithClientTools('a baseline at a revision', () => {
  const files = {
    '01_a.sql': 'create table a (id int primary key);',
    '02_b.sql': 'create table b (id int references a);',
    '03_c.sql': 'alter table b add column later text;',
  };

  test('records the files up to it, and the rest runs', async () => {
    const { database, options } = await makePlace('create table a (id int primary key); create table b (id int references a)', files);
    expect(await baseline(options, { at: '02_b' })).toMatchObject({ recorded: ['01_a.sql', '02_b.sql'], file: undefined });
    expect(
      await database.query(`select migration, detail ->> 'checksum' is not null as sum from knex_migrations_journal where kind = 'stamp'`),
    ).toEqual([
      { migration: '01_a.sql', sum: true },
      { migration: '02_b.sql', sum: true },
    ]);
    expect(await ensureMigrated(options)).toMatchObject({ status: 'migrated', applied: [{ name: '03_c.sql', batch: 1 }] });
  });

  test('is refused where the schema is another one, with every difference in both directions', async () => {
    const place = await makePlace('create table a (id bigint primary key); create table extra (id int); create table b (id int)', files);
    const error = await failureOf(baseline(place.options, { at: '02_b' }));
    expect(error).toMatchObject({ code: 'EM_SCHEMA_DIFFERS', exitCode: 78 });
    expect(error.findings.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      'schema-missing: constraint b_id_fkey on public.b is not there',
      'schema-extra: table public.extra is there, and the migrations do not leave it',
      'schema-differs: not as the migrations make it: column public.a.id was changed: was `integer not null`, is `bigint not null`',
    ]);
    await expectUntouched(place, Object.keys(files));
  });

  test('beside another one queues at the lock, and one of the two records', async () => {
    const { database, options } = await makePlace('create table a (id int primary key)', files);
    const ends = await Promise.allSettled([1, 2].map(async () => await baseline(options, { at: '01_a' })));
    expect(ends.map(({ status: end }) => end).sort()).toEqual(['fulfilled', 'rejected']);
    const refused = ends.find(({ status: end }) => end === 'rejected') as PromiseRejectedResult;
    expect(refused.reason).toMatchObject({ code: 'EM_PLAN_REFUSED', message: expect.stringContaining('has a history') as string });
    expect(await database.query('select name from knex_migrations')).toEqual([{ name: '01_a.sql' }]);
    expect(await database.query(`select detail ->> 'state' as state from knex_migrations_journal where kind = 'owner'`)).toEqual([
      { state: 'clear' },
    ]);
  });
});

describeWithClientTools('pg_dump', () => {
  test.runIf(undumpableMajor !== undefined)('that is older than the server is a clear error before anything', async () => {
    const database = await createDatabase(undumpableMajor === undefined ? {} : { major: undumpableMajor });
    await database.query('create table t ()');
    const directory = await makeDirectory();
    expect(await failureOf(baseline({ connection: database.url, migrations: directory, logger: false }))).toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringMatching(/the schema cannot be dumped: pg_dump is older than the server, which is PostgreSQL \d+/) as string,
      remedy: expect.stringContaining('Install the client tools') as string,
    });
    await expectUntouched({ database, directory, options: {} });
  });
  test('that fails is told with what it said', async () => {
    const place = await makePlace('create table t (id int)');
    const role = await place.database.createRole('createdb'); // may not read the table
    expect(await failureOf(baseline({ ...place.options, connection: role.url }))).toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringContaining('permission denied for table t') as string,
    });
    await expectUntouched(place);
  });
});

describeWithClientTools('the command line', () => {
  test('tells what was written and recorded', async () => {
    const { database, directory } = await makePlace('create table patients (id int primary key)');
    const env = { DATABASE_URL: database.url, NODE_ENV: 'production' };
    const { code, stdout } = await runCli(['baseline', '--migrations', directory], { env });
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^Wrote .*_baseline\.up\.sql\nThe database was at base \(0 recorded\) and is at \d{14}_baseline\.up\.sql \(1 recorded\) now\.\n {2}\+ \d{14}_baseline\.up\.sql\nProved: \d+ objects are as the stamp says\.\n$/,
    );
    const again = await runCli(['baseline', '--migrations', directory, '--at', 'baseline'], { env });
    expect(again).toMatchObject({ code: 78, stdout: '' });
    expect(again.stderr).toMatch(
      /^EM_PLAN_REFUSED: this database has a history: 1 migration, the last is .*\n {2}Use stamp to move it\. Nothing was changed\./,
    );
  });
});

describeWithClientTools('what comes after a baseline', () => {
  const next = {
    '99999999999999_next.sql': `create table unqualified (id int); create function f() returns int language sql as 'select 1';`,
  };

  test.each(['each', 'all'] as const)('finds the session as it was (transaction: %s)', async (transaction) => {
    const { directory, options } = await makePlace('create table patients (id int primary key)');
    await baseline(options);
    await writeFiles(directory, next);
    const fresh = await createDatabase({ major: dumpableMajor });
    await ensureMigrated({ ...options, connection: fresh.url, transaction });
    expect(await fresh.query(`select to_regclass('public.unqualified')::text as table`)).toEqual([{ table: 'unqualified' }]);
  });

  // There it is the same transaction, and the session is not ours to put back.
  describeWithPgBouncer('behind a pooler', () => {
    test('finds the session as it was', async () => {
      const { directory, options } = await makePlace('create table patients (id int primary key)');
      await baseline(options);
      await writeFiles(directory, next);
      const fresh = await createDatabase({ major: dumpableMajor });
      const pgbouncer = await startPgBouncer(fresh.url);
      await ensureMigrated({ ...options, connection: pgbouncer.urlOf(fresh.url) });
      expect(await fresh.query(`select to_regclass('public.unqualified')::text as table`)).toEqual([{ table: 'unqualified' }]);
    });
  });
});

async function writeFiles(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(path.join(directory, name), text);
}
