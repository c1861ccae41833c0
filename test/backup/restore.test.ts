import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { backup } from '../../src/commands/backup.js';
import { restore, type RestoreOptions } from '../../src/commands/restore.js';
import { afterFile } from '../support/cleanup.js';
import { describeWithClientTools, dumpableMajor, dumpOf } from '../support/client-tools.js';
import { failureOf } from '../support/scene.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { boot, expectNoSession, fakeTools, first, goodUpgrade, makeClinic, second, tracesIn } from './fixture.js';

async function emptyDatabase(): Promise<TestDatabase> {
  return await createDatabase({ major: dumpableMajor });
}

async function restoreInto(database: Pick<TestDatabase, 'url'>, options: RestoreOptions) {
  return await restore({ connection: database.url, logger: false }, options);
}

/** A clinic with a bit of everything that a dump can hold, and its backup. */
async function backedUp() {
  const clinic = await makeClinic();
  const { database, directory } = clinic;
  const owner = await database.createRole();
  await database.query(`create type mood as enum ('well', 'ill')`);
  await database.query(
    'create table visits (id bigint generated always as identity primary key, mood mood not null default $$well$$, note text)',
  );
  await database.query(`insert into visits (note) values (null), (E'a\\tb\\nc'), ('é')`);
  await database.query('create index on visits (mood) where note is not null');
  await database.query('create function due() returns trigger language plpgsql as $$ begin return new; end $$');
  await database.query('create trigger due before insert on visits for each row execute function due()');
  await database.query('create view recent as select * from visits');
  await database.query(
    `alter table visits owner to "${owner.name}"; grant select on recent to "${owner.name}"; select lo_from_bytea(4242, 'scan')`,
  );
  const { file } = await backup({ connection: database.url, logger: false }, { directory });
  return { ...clinic, file };
}

/** The name of a database of this file that does not exist; dropped after its tests. */
function newName(beside: TestDatabase): string {
  const name = `${beside.name} "new"`;
  afterFile(async () => void (await beside.query(`drop database if exists "${name.replaceAll('"', '""')}" with (force)`)));
  return name;
}

function urlOf({ url }: TestDatabase, name: string): string {
  return url.replace(/\/[^/]*$/, `/${encodeURIComponent(name)}`);
}

describeWithClientTools('restore', () => {
  test('puts a backup back whole into an empty database, byte for byte, with owners and rights', async () => {
    const { database, file, current } = await backedUp();
    const target = await emptyDatabase();
    expect(await restoreInto(target, { file })).toEqual({ database: target.name, file, revision: first });
    expect(dumpOf(target)).toBe(dumpOf(database));
    expect(await boot(target, current)).toMatchObject({ status: 'in-sync', to: first });
    expect(await boot(target, await goodUpgrade())).toMatchObject({ status: 'migrated', applied: [{ name: second }] });
  });

  test('makes a new database by any name, with the encoding, the locale and the settings of the one that was backed up', async () => {
    const { database, directory } = await makeClinic();
    await database.query(`alter database "${database.name}" set work_mem = '7MB'`);
    const { file } = await backup({ connection: database.url, logger: false }, { directory });
    const name = newName(database);
    expect(await restoreInto(database, { file, create: name })).toMatchObject({ database: name, revision: first });
    expect(dumpOf({ url: urlOf(database, name) })).toBe(dumpOf(database));
    const facts = await database.query(
      `select encoding, datcollate, datctype, datdba, (select setconfig from pg_db_role_setting where setdatabase = d.oid) as settings
       from pg_database d where datname = any ($1)`,
      [[database.name, name]],
    );
    expect(facts[0]).toEqual(facts[1]);
    expect(facts[0]).toMatchObject({ settings: ['work_mem=7MB'] });
  });

  test('makes the database that the connection names', async () => {
    const { database, file } = await backedUp();
    const name = newName(database);
    expect(await restoreInto({ url: urlOf(database, name) }, { file, create: true })).toMatchObject({ database: name });
    expect(dumpOf({ url: urlOf(database, name) })).toBe(dumpOf(database));
  });

  test.each([
    ['a table', 'create table notes (id int)', 'relation notes'],
    ['a schema', 'create schema app', 'schema app'],
    ['a function', 'create function f() returns int language sql return 1', 'function f'],
    ['a type', `create type mood as enum ('well')`, 'type mood'],
    ['a large object', `select lo_from_bytea(7, 'a')`, 'large object 7'],
  ])('refuses a database with %s in it, and leaves it as it is', async (_what, statement, named) => {
    const { file } = await backedUp();
    const target = await emptyDatabase();
    await target.query(statement);
    const before = dumpOf(target);
    const error = await failureOf(restoreInto(target, { file }));
    expect(error).toMatchObject({ code: 'EM_RESTORE_REFUSED', exitCode: 78 });
    expect(error.message).toContain(`the database "${target.name}" is not empty: ${named}`);
    expect(dumpOf(target)).toBe(before);
  });

  // ALEMBIC.md, break 4: psql of a dump onto the migrated database answers 0, loses the data and leaves two revisions.
  test('onto the migrated database that it was taken from is refused, and nothing of it changes', async () => {
    const { database, file } = await backedUp();
    await boot(database, await goodUpgrade());
    const [before, dump] = [await tracesIn(database), dumpOf(database)];
    expect(await failureOf(restoreInto(database, { file }))).toMatchObject({ code: 'EM_RESTORE_REFUSED' });
    await expectNoSession(database);
    expect(await tracesIn(database)).toEqual(before);
    expect(dumpOf(database)).toBe(dump);
    expect(await failureOf(restoreInto(database, { file, create: true }))).toMatchObject({ code: 'EM_RESTORE_REFUSED' });
    expect(await failureOf(restoreInto(database, { file, create: database.name }))).toMatchObject({
      message: expect.stringContaining(`there is a database "${database.name}" already`) as string,
    });
    expect(dumpOf(database)).toBe(dump);
  });

  test('refuses a file that is not there, is no archive, or is cut off, before it looks at the database', async () => {
    const { directory, file } = await backedUp();
    const whole = await readFile(file);
    const broken = path.join(directory, 'broken.dump');
    const nowhere = { url: 'postgres://nobody@127.0.0.1:1/nowhere' };
    const refusalOf = async (bytes: string | Buffer) => {
      await writeFile(broken, bytes);
      const error = await failureOf(restoreInto(nowhere, { file: broken }));
      expect(error.code).toBe('EM_RESTORE_REFUSED');
      return error.message;
    };
    const missing = await failureOf(restoreInto(nowhere, { file: `${file}.gone` }));
    expect(missing).toMatchObject({ code: 'EM_RESTORE_REFUSED', message: expect.stringContaining('ENOENT') as string });
    expect(await refusalOf('')).toContain('is not a backup');
    expect(await refusalOf('-- PostgreSQL database dump\nselect 1;\n')).toContain('is not a backup');
    for (const cut of [1, 100, whole.length - 2_000, whole.length - 6])
      expect(await refusalOf(whole.subarray(0, whole.length - cut))).toMatch(/cannot be read to its end, so it is cut off or damaged/);
  });

  test('that fails in the middle leaves nothing behind', async () => {
    const { database, directory } = await makeClinic();
    const owner = await database.createRole();
    await database.query(`create table z (); alter table z owner to "${owner.name}"`);
    const { file } = await backup({ connection: database.url, logger: false }, { directory });
    await database.query(`drop table z; drop role "${owner.name}"`);
    const target = await emptyDatabase();
    const error = await failureOf(restoreInto(target, { file }));
    expect(error).toMatchObject({ code: 'EM_RESTORE_FAILED', exitCode: 78 });
    expect(error.message).toContain(`role "${owner.name}" does not exist`);
    expect(await target.query(`select from pg_class where oid >= 16384`)).toEqual([]);
    const name = newName(database);
    expect(await failureOf(restoreInto(database, { file, create: name }))).toMatchObject({ code: 'EM_RESTORE_FAILED' });
    expect(await database.query('select from pg_database where datname = $1', [name])).toEqual([]);
    await database.query(`create role "${owner.name}"`); // for its drop after the tests
  });

  test('of a backup that was taken after a migrator had died gives a database that the next boot can use', async () => {
    const { database, directory, current } = await makeClinic();
    await database.query(`update knex_migrations_lock set is_locked = 1`);
    const flag = `(select xmin::text from knex_migrations_lock)`;
    await database.query(
      `update knex_migrations_journal set detail = detail || jsonb_build_object('state', 'active', 'flag', ${flag}) where kind = 'owner'`,
    );
    const { file } = await backup({ connection: database.url, logger: false }, { directory });
    const target = await emptyDatabase();
    await restoreInto(target, { file });
    expect(await target.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
    const timeouts = { lockMs: 2_000 };
    expect(await boot(target, current, { timeouts })).toMatchObject({ status: 'in-sync' });
    expect(await boot(target, await goodUpgrade(), { timeouts })).toMatchObject({ status: 'migrated' });
  });
});

describeWithClientTools('restore by client tools of PostgreSQL 17 into an older server', () => {
  /** The tools at hand, as if they were of 17: what they say of themselves, and the setting that an older server does not know. */
  async function newerTools(): Promise<string> {
    const own = (name: string) => execFileSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    const version = (name: string) => `[ "$1" = --version ] && echo "${name} (PostgreSQL) 17.0" && exit`;
    const asNewer = `sed -e 's/^;  *Dumped by pg_dump version: .*/; Dumped by pg_dump version: 17.0/' -e '0,/^SET lock_timeout/s//SET transaction_timeout = 0;\\n&/'`;
    return await fakeTools({
      pg_restore: `${version('pg_restore')}\ncase "$*" in *--list*|*--file=-*) ${own('pg_restore')} "$@" | ${asNewer};; *) exec ${own('pg_restore')} "$@";; esac`,
      psql: `${version('psql')}\nexec ${own('psql')} "$@"`,
    });
  }
  const searched = process.env['PATH'];
  afterEach(() => void (process.env['PATH'] = searched));

  test.runIf(dumpableMajor < 17)('leaves the setting out that such a server does not know, and nothing else', async () => {
    const { database, directory, current } = await backedUp();
    await database.query(`insert into visits (note) values ('SET transaction_timeout = 0;')`);
    const { file } = await backup({ connection: database.url, logger: false }, { directory });
    const target = await emptyDatabase();
    process.env['PATH'] = `${await newerTools()}:${searched}`;
    expect(await restoreInto(target, { file })).toMatchObject({ revision: first });
    expect(dumpOf(target)).toBe(dumpOf(database));
    expect(await boot(target, current)).toMatchObject({ status: 'in-sync' });
  });

  test.runIf(dumpableMajor < 17)('leaves nothing behind when it fails', async () => {
    const { database, directory } = await makeClinic();
    const owner = await database.createRole();
    await database.query(`create table z (); alter table z owner to "${owner.name}"`);
    const { file } = await backup({ connection: database.url, logger: false }, { directory });
    await database.query(`drop table z; drop role "${owner.name}"`);
    const target = await emptyDatabase();
    process.env['PATH'] = `${await newerTools()}:${searched}`;
    const error = await failureOf(restoreInto(target, { file }));
    expect(error).toMatchObject({ code: 'EM_RESTORE_FAILED' });
    expect(error.message).toMatch(/psql ended with exit code 3: .*role "\S+" does not exist/s);
    expect(await target.query(`select from pg_class where oid >= 16384`)).toEqual([]);
    await database.query(`create role "${owner.name}"`); // for its drop after the tests
  });
});

describeWithClientTools('backup', () => {
  test('takes one of the configured kind, changes nothing, and says what it is of', async () => {
    const { database, directory, files } = await makeClinic();
    const before = dumpOf(database);
    const options = { connection: database.url, logger: false, backup: { directory } } as const;
    const result = await backup(options);
    expect(result).toEqual({
      database: database.name,
      revision: first,
      file: path.join(directory, (await files())[0]!),
      bytes: expect.any(Number) as number,
    });
    await backup(options);
    await backup(options, { keepCount: 1 });
    expect(await files()).toHaveLength(1);
    expect(await backup({ ...options, backup: { command: 'echo s3://clinic/7' } })).toMatchObject({
      file: 's3://clinic/7',
      bytes: undefined,
    });
    expect(dumpOf(database)).toBe(before);
  });

  test.each([
    [{}, 'backup: expected a directory, or the option `backup`; got neither'],
    [{ keepCount: 2 }, 'backup: expected false, { directory, keepCount } or { command }'],
    [{ directory: 'a', keepCount: 0 }, 'backup.keepCount: expected a whole number from 1; got 0'],
  ])('refuses %j', async (given, message) => {
    const error = await failureOf(backup({ connection: 'postgres://nobody@127.0.0.1:1/nowhere', logger: false }, given));
    expect(error).toMatchObject({ code: 'EM_CONFIG_INVALID' });
    expect(error.message).toContain(message);
  });
});
