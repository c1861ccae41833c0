import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { importHistory, status, type ImportHistoryOptions } from '../../src/commands/index.js';
import { ensureMigrated, isMigrationError, type MigrationError, type Options } from '../../src/index.js';
import { runCli } from '../support/cli.js';
import { makeDirectory } from '../support/directories.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { expectPrinted } from '../support/json-schemas.js';

const users =
  'create table users (id bigint primary key, email text not null);\n--> statement-breakpoint\ncreate index users_email on users (email);\n';
const notes = 'create table notes (id bigint primary key, body text);\n';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

// As the tools themselves make their tables: Alembic 1.16, Prisma 6, node-pg-migrate 8, umzug 3 (SequelizeStorage), drizzle-orm 0.45.
const prismaTable = `create table _prisma_migrations (id varchar(36) primary key not null, checksum varchar(64) not null, finished_at timestamptz,
  migration_name varchar(255) not null, logs text, rolled_back_at timestamptz, started_at timestamptz not null default now(), applied_steps_count integer not null default 0);`;
const pgTable = 'create table pgmigrations (id serial primary key, name varchar(255) not null, run_on timestamp not null);';
const drizzleTable =
  'create schema drizzle; create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint);';
const prismaRow = (name: string, text: string, finished = 'now()', back = 'null') =>
  `insert into _prisma_migrations (id, checksum, migration_name, finished_at, rolled_back_at) values (gen_random_uuid(), '${sha256(text)}', '${name}', ${finished}, ${back});`;

interface Place {
  readonly database: TestDatabase;
  readonly options: Options;
}

/** A database that another tool has brought to `notes`, with the files taken over, and one that is pending. */
async function makePlace(theirs: string, files: Readonly<Record<string, string>>): Promise<Place> {
  const database = await createDatabase();
  await database.query(`${users} ${notes} ${theirs}`);
  const directory = await makeDirectory({ ...files, '9_pending.sql': 'alter table notes add column at timestamptz;' });
  return { database, options: { connection: database.url, migrations: directory, logger: false } };
}

async function failureOf({ options }: Place, asked: ImportHistoryOptions): Promise<MigrationError> {
  const error: unknown = await importHistory(options, asked).catch((thrown: unknown) => thrown);
  if (!isMigrationError(error)) throw new Error('it did not fail', { cause: error });
  return error;
}

const prisma = { '1_users.sql': users, '2_notes.sql': notes };

describe('a table of the other tool that is', () => {
  const own = { '1_users.sql': users, '2_notes.sql': notes };
  const rows = `insert into rows values (1, '1_users', now()), (2, '2_notes', now());`;
  test.each([
    ['a view', `create table rows (id int, name text, run_on timestamp); ${rows} create view pgmigrations as select * from rows;`],
    [
      'partitioned',
      `create table pgmigrations (id int, name text, run_on timestamp) partition by range (id);
       create table rows partition of pgmigrations for values from (0) to (10); ${rows}`,
    ],
  ])('%s is taken over like any other', async (_, theirs) => {
    const place = await makePlace(theirs, own);
    await expect(importHistory(place.options, { from: 'node-pg-migrate' })).resolves.toMatchObject({ matched: [{}, {}] });
  });

  test.each([{ table: 5 }, { table: '' }, { table: 'a\0b' }, { names: null }, { names: ['x'] }, { names: { a: 1 } }])(
    'given as nonsense (%j) is refused',
    async (nonsense) => {
      const asked = importHistory({ connection: 'postgres://nobody@localhost:1/none' }, { from: 'prisma', ...nonsense } as never);
      await expect(asked).rejects.toMatchObject({ code: 'EM_CONFIG_INVALID' });
    },
  );
});

describe('the history of', () => {
  test.each([
    [
      'alembic',
      `create table alembic_version (version_num varchar(32) primary key); insert into alembic_version values ('a1b2c3');`,
      { '1_users.sql': users, '2_a1b2c3_notes.sql': notes },
    ],
    ['prisma', prismaTable + prismaRow('1_users', users) + prismaRow('2_notes', notes), prisma],
    [
      'node-pg-migrate',
      `${pgTable} insert into pgmigrations (name, run_on) values ('1_users', now()), ('2_notes', now());`,
      {
        '1_users.sql': users,
        '2_notes.js': `export const up = (knex) => knex.raw(${JSON.stringify(notes)}); export const down = () => {};`,
      },
    ],
    [
      'umzug',
      `create table "SequelizeMeta" (name varchar(255) primary key); insert into "SequelizeMeta" values ('1_users.js'), ('2_notes.js');`,
      { '1_users.up.sql': users, '2_notes.up.sql': notes },
    ],
    [
      'drizzle',
      `${drizzleTable} insert into drizzle.__drizzle_migrations (hash, created_at) values ('${sha256(users)}', 1), ('${sha256(notes)}', 2);`,
      { '0000_users.sql': users, '0001_notes.sql': notes },
    ],
  ] as const)('%s is taken over up to where it is, and the next boot goes on from there', async (from, theirs, files) => {
    const place = await makePlace(theirs, files);
    const before = await place.database.query(
      `select relname, pg_stat_get_tuples_inserted(oid) as written from pg_class where relname ~ 'migrations$|Meta$|version$'`,
    );
    const imported = await importHistory(place.options, { from });
    expectPrinted('import-history', imported);
    const { after, proof, matched } = imported;
    expect([after, proof.status, proof.findings]).toEqual([Object.keys(files), 'proved', []]);
    expect(matched.map(({ ours }) => ours)).toEqual(from === 'alembic' ? ['2_a1b2c3_notes.sql'] : Object.keys(files));
    expect(await ensureMigrated(place.options)).toMatchObject({ status: 'migrated', applied: [{ name: '9_pending.sql' }] });
    expect(await status(place.options)).toMatchObject({ inSync: true, findings: [] });
    expect(
      await place.database.query(
        `select relname, pg_stat_get_tuples_inserted(oid) as written from pg_class where relname ~ '_migrations$|Meta$|version$' and relname !~ 'knex'`,
      ),
    ).toEqual(before.filter(({ relname }) => relname !== 'pgmigrations'));
  });
});

describe('it is refused, and nothing is recorded,', () => {
  const both = prismaTable + prismaRow('1_users', users) + prismaRow('2_notes', notes);
  test.each([
    ['where the tool has no table', '', prisma, { from: 'prisma' }, 'EM_IMPORT_REFUSED', 'there is no table "_prisma_migrations"'],
    [
      'where the table is that of another tool',
      pgTable,
      prisma,
      { from: 'prisma', table: 'public.pgmigrations' },
      'EM_IMPORT_REFUSED',
      '"public"."pgmigrations" is no history of prisma',
    ],
    ['where nothing is on record', prismaTable, prisma, { from: 'prisma' }, 'EM_IMPORT_REFUSED', 'it has nothing on record'],
    [
      'where a migration has not ended there',
      both + prismaRow('3_bad', '', 'null'),
      prisma,
      { from: 'prisma' },
      'EM_IMPORT_REFUSED',
      '3_bad has not ended there',
    ],
    [
      'where one is none of the files',
      both + prismaRow('3_other', 'x'),
      prisma,
      { from: 'prisma' },
      'EM_IMPORT_REFUSED',
      '3_other is none of our files',
    ],
    [
      'where one may be several',
      prismaTable + prismaRow('1_users', users) + prismaRow('notes', 'x'),
      { ...prisma, '1b_notes.sql': 'select 1;' },
      { from: 'prisma' },
      'EM_IMPORT_REFUSED',
      'may be any of',
    ],
    [
      'where an older file was not applied there',
      prismaTable + prismaRow('2_notes', notes),
      prisma,
      { from: 'prisma' },
      'EM_IMPORT_REFUSED',
      '1_users.sql was not applied there, and is older than what was',
    ],
    [
      'where a name is mapped that is not there',
      both,
      prisma,
      { from: 'prisma', names: { typo: '1_users' } },
      'EM_IMPORT_REFUSED',
      'typo is mapped, and not on record there',
    ],
    [
      'where the tool is not known',
      both,
      prisma,
      { from: 'flyway' as 'prisma' },
      'EM_IMPORT_REFUSED',
      `'flyway' is none of alembic, prisma`,
    ],
    [
      'where its names are numbers',
      'create table counted (name int); insert into counted values (77);',
      prisma,
      { from: 'umzug', table: 'counted' },
      'EM_IMPORT_REFUSED',
      '77 is none of our files',
    ],
    [
      'where a row has no name',
      'create table nameless (name text); insert into nameless values (null);',
      prisma,
      { from: 'umzug', table: 'nameless' },
      'EM_IMPORT_REFUSED',
      '"nameless" is no history of umzug',
    ],
    [
      'where its names have no order',
      'create table unordered (name xml);',
      prisma,
      { from: 'umzug', table: 'unordered' },
      'EM_IMPORT_REFUSED',
      '"unordered" is no history of umzug',
    ],
    [
      'where the table is an index',
      'create index no_table on notes (id);',
      prisma,
      { from: 'umzug', table: 'no_table' },
      'EM_IMPORT_REFUSED',
      '"no_table" is no history of umzug',
    ],
    [
      'where the schema is another one',
      `${both} alter table notes add column hotfix int; create table pgmigrations_2 ();`,
      prisma,
      { from: 'prisma' },
      'EM_SCHEMA_DIFFERS',
      'hotfix',
    ],
  ] as const)('%s', async (_what, theirs, files, asked, code, message) => {
    const place = await makePlace(theirs, files);
    const error = await failureOf(place, asked);
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(message)]);
    expect(await place.database.query(`select 1 from pg_class where relname = 'knex_migrations'`)).toEqual([]);
  });

  test('where there is a history of ours', async () => {
    const place = await makePlace(both, prisma);
    await importHistory(place.options, { from: 'prisma' });
    expect(await failureOf(place, { from: 'prisma' })).toMatchObject({
      code: 'EM_PLAN_REFUSED',
      message: expect.stringContaining('has a history') as string,
    });
  });
});

test('names that have nothing in common are mapped by a file, and what was rolled back there does not count', async () => {
  const rows = prismaRow('init', 'x') + prismaRow('second', 'y') + prismaRow('never', 'z', 'now()', 'now()');
  const { database, options } = await makePlace(prismaTable + rows, prisma);
  const directory = await makeDirectory({ 'map.json': JSON.stringify({ init: '1_users', second: '2_notes.sql' }) });
  const args = ['import-history', '--from', 'prisma', '--map', `${directory}/map.json`, '--migrations', options.migrations as string];
  const { code, stdout, stderr } = await runCli(args, { env: { DATABASE_URL: database.url } });
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toContain('init is 1_users.sql');
  expect(stdout).toContain('is at 2_notes.sql (2 recorded) now');
});
