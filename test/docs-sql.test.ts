import path from 'node:path';
import createKnex from 'knex';
import { describe, expect, test } from 'vitest';
import { renderCreateState } from '../src/backfill/state.js';
import { tablesOf } from '../src/history/index.js';
import { boot } from './boot/fixture.js';
import { makeDirectory } from './support/directories.js';
import { root } from './support/majors.js';
import { readPage, snippetOf } from './support/markdown.js';
import { createDatabase, type TestDatabase } from './support/servers.js';

const page = 'docs/operations.md';
const rolesPage = 'docs/roles.md';
const notes = path.join(root, 'migrations');
const name = '20260401_totals.sql';

describe.each(['docs/errors.md', page, rolesPage])('%s', (each) => {
  test('has no SQL that fails on a database that was booted', async () => {
    const database = await createDatabase();
    await boot(database, notes);
    for (const statement of renderCreateState(tablesOf({ tableName: 'knex_migrations', schemaName: undefined })))
      await database.query(statement);
    const client = await database.connect();
    const failures: string[] = [];
    for (const { line, text } of readPage(each).snippets.filter(({ language }) => language === 'sql')) {
      await client.query('begin');
      // The blocks of that page build on the first; nothing of them stays.
      if (each === rolesPage && !text.includes('create role')) await client.query(snippetOf(rolesPage, 'roles'));
      await client.query(text).catch((error: unknown) => failures.push(`${each}:${line}: ${String(error)}`));
      await client.query('rollback');
    }
    expect(failures).toEqual([]);
  });
});

describe('docs/roles.md', () => {
  /** A database with the two roles; `run` runs a block of the page for them. */
  async function makeRoles() {
    const database = await createDatabase();
    const [migrator, app] = [await database.createRole(), await database.createRole()];
    const owner = await database.createRole();
    const run = async (text: string) => {
      const statements = text
        .replace(/^create role .*\n/gm, '')
        .replaceAll('notes_migrator', migrator.name)
        .replaceAll('notes_owner', owner.name)
        .replaceAll('notes_deploy', migrator.name)
        .replaceAll('notes_app', app.name);
      await database.query(statements);
    };
    const as = async (url: string, sql: string) => await (await database.connect(url)).query(sql);
    return { database, owner, migrator, app, run, as };
  }

  test('suffice: one migrates, the other waits, verifies and works with the tables, and can change no schema', async () => {
    const { migrator, app, run, as } = await makeRoles();
    await run(snippetOf(rolesPage, 'roles'));
    await expect(boot(app, notes, { mode: 'verify' })).rejects.toMatchObject({ findings: [{ code: 'history-pending' }] });
    const waiting = boot(app, notes, { mode: 'wait' });
    await expect(boot(migrator, notes)).resolves.toMatchObject({ status: 'migrated', findings: [] });
    await expect(waiting).resolves.toMatchObject({ status: 'in-sync' });
    await as(app.url, `insert into patients (name) values ('Ada')`);
    await expect(as(app.url, 'create table mine (id int)')).rejects.toMatchObject({ code: '42501' });
    const revoke = readPage(rolesPage).snippets.find(({ text }) => text.startsWith('revoke insert'));
    await run(revoke?.text ?? '');
    await expect(as(app.url, 'delete from knex_migrations')).rejects.toMatchObject({ code: '42501' });
    for (const mode of ['apply', 'wait', 'verify'] as const)
      await expect(boot(app, notes, { mode })).resolves.toMatchObject({ status: 'in-sync' });
  });

  test('a reader needs no more than it says; without the journal it refuses every newer database', async () => {
    const { database, app, run } = await makeRoles();
    await boot(database, await makeDirectory({ '1.sql': 'select 1', '2.sql': '-- breaking: false\nselect 1' }));
    const older = await makeDirectory({ '1.sql': 'select 1' });
    await expect(boot(app, older, { mode: 'verify' })).rejects.toMatchObject({ code: 'EM_CHECK_FAILED' });
    await run('grant select on knex_migrations to notes_app');
    await expect(boot(app, older, { mode: 'verify' })).rejects.toMatchObject({ findings: [{ code: 'history-ahead' }] });
    await run(snippetOf(rolesPage, 'reader'));
    await expect(boot(app, older, { mode: 'verify' })).resolves.toMatchObject({ status: 'ahead' });
  });

  test('a migrator that does not own the tables of knex needs no more than it says', async () => {
    const { database, migrator, run } = await makeRoles();
    const module = 'exports.up = (knex) => knex.raw("select 1"); exports.down = () => Promise.resolve();';
    const knex = createKnex({ client: 'pg', connection: database.url, migrations: { directory: await makeDirectory({ '1.js': module }) } });
    await knex.migrate.latest();
    await knex.destroy();
    const directory = await makeDirectory({ '1.js': module, '2.js': module });
    await expect(boot(migrator, directory)).rejects.toMatchObject({ code: 'EM_CHECK_FAILED' });
    await run(snippetOf(rolesPage, 'foreign-history'));
    await run('grant usage, create on schema public to notes_migrator');
    await expect(boot(migrator, directory)).resolves.toMatchObject({ status: 'migrated', applied: [{ name: '2.js' }] });
    await expect(boot(migrator, directory)).resolves.toMatchObject({ status: 'in-sync' });
  });

  test('without a grant nothing is changed, and the error names it', async () => {
    const { database, migrator, app, run } = await makeRoles();
    const lacks = (grant: string) => {
      const remedy = expect.stringContaining(`grant ${grant} to "${migrator.name}";`) as string;
      return { code: 'EM_CHECK_FAILED', findings: [{ code: 'role-privileges', remedy }] };
    };
    await run('revoke create on schema public from public');
    await expect(boot(migrator, notes)).rejects.toMatchObject(lacks('create on schema "public"'));
    expect(await database.query(`select relname from pg_class where relname like 'knex%'`)).toEqual([]);

    await run(snippetOf(rolesPage, 'roles').replace('grant select, insert,', 'grant insert,'));
    await boot(migrator, notes);
    const denied = expect.stringContaining('permission denied for table knex_migrations') as string;
    await expect(boot(app, notes, { mode: 'verify' })).rejects.toMatchObject({ code: 'EM_CHECK_FAILED', message: denied });

    await run('alter table knex_migrations_journal owner to notes_owner; grant select on knex_migrations_journal to notes_migrator');
    const migrations = [notes, await makeDirectory({ '29990101_more.up.sql': 'select 1', '29990101_more.down.sql': 'select 1' })];
    await expect(boot(migrator, notes, { migrations })).rejects.toMatchObject(
      lacks('insert, update on "public"."knex_migrations_journal"'),
    );
  });

  test('what a member of the owner makes belongs to the owner', async () => {
    const { database, owner, migrator, run } = await makeRoles();
    await run(`${snippetOf(rolesPage, 'owner').replace(/create role notes_deploy [^;]+/, 'grant notes_owner to notes_deploy')}`);
    await expect(boot(migrator, notes)).resolves.toMatchObject({ status: 'migrated', findings: [] });
    const owners = 'select distinct tableowner from pg_tables where schemaname = current_schema()';
    expect(await database.query(owners)).toEqual([{ tableowner: owner.name }]);
    await expect(boot(migrator, notes)).resolves.toMatchObject({ status: 'in-sync' });
  });
});

describe('what docs/operations.md tells a person to run', () => {
  const files = { '20260301_orders.sql': 'create table orders (id int)', [name]: 'create table totals (sum int)' };

  async function bootedWith(more: Readonly<Record<string, string>> = {}): Promise<TestDatabase> {
    const database = await createDatabase();
    await boot(database, await makeDirectory({ ...files, ...more }));
    return database;
  }

  test('marks a migration compatible, so that the release before it starts', async () => {
    const database = await bootedWith({ [name]: `-- breaking: true\n${files[name]}` });
    const older = await makeDirectory({ '20260301_orders.sql': files['20260301_orders.sql'] });
    await expect(boot(database, older)).rejects.toMatchObject({ code: 'EM_OUT_OF_SYNC', findings: [{ code: 'history-ahead' }] });
    expect(await database.query(snippetOf(page, 'compatible'))).toEqual([{ migration: name, breaking: 'false' }]);
    await expect(boot(database, older)).resolves.toMatchObject({ status: 'ahead' });
  });

  test('renames a migration', async () => {
    const database = await bootedWith({ '20260501_after.sql': 'select 1' });
    const { [name]: text, ...others } = files;
    const renamed = await makeDirectory({ ...others, '20260401_totals_per_order.sql': text, '20260501_after.sql': 'select 1' });
    const error = await boot(database, renamed).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'EM_OUT_OF_SYNC' });
    const codes = (error as { findings: { code: string }[] }).findings.map(({ code }) => code);
    expect(codes.sort()).toEqual(['history-missing', 'history-out-of-order']);
    await database.query(snippetOf(page, 'renamed'));
    await expect(boot(database, renamed)).resolves.toMatchObject({ status: 'in-sync', findings: [] });
  });

  test('accepts an edit', async () => {
    const database = await bootedWith();
    const edited = await makeDirectory({ ...files, [name]: 'create table totals (sum bigint)' });
    await expect(boot(database, edited)).rejects.toMatchObject({ findings: [{ code: 'history-edited' }] });
    expect(await database.query(snippetOf(page, 'edited'))).toEqual([{ migration: name, status: 'done' }]);
    await expect(boot(database, edited)).resolves.toMatchObject({ status: 'in-sync', findings: [] });
  });

  test('deletes the later of two rows of one migration', async () => {
    const database = await bootedWith();
    const directory = await makeDirectory(files);
    await database.query('insert into knex_migrations (name, batch, migration_time) values ($1, 2, now())', [name]);
    await expect(boot(database, directory)).resolves.toMatchObject({ findings: [{ code: 'history-duplicate' }] });
    const [find = '', remove = ''] = (
      readPage(page).snippets.find(({ section, language }) => section.endsWith('recorded twice') && language === 'sql')?.text ?? ''
    ).split(/(?<=;)\n/);
    expect(await database.query(find)).toMatchObject([{ name, ids: [2, 3] }]);
    await database.query(remove);
    await expect(boot(database, directory)).resolves.toMatchObject({ status: 'in-sync', findings: [] });
    expect(await database.query('select id from knex_migrations order by id')).toEqual([{ id: 1 }, { id: 2 }]);
  });

  test("frees knex's lock", async () => {
    const database = await bootedWith();
    await database.query('update knex_migrations_lock set is_locked = 1');
    const directory = await makeDirectory({ ...files, '20260501_after.sql': 'select 1' });
    await expect(boot(database, directory, { timeouts: { lockMs: 1 } })).rejects.toMatchObject({ code: 'EM_KNEX_LOCKED' });
    const [look = '', , free = ''] = readPage(page)
      .snippets.filter(({ section }) => section === `knex's stuck lock`)
      .map(({ text }) => text);
    expect(await database.query(look)).toEqual([{ is_locked: 1, last_run: 'clear', set_by_it: false }]);
    await database.query(free);
    await expect(boot(database, directory)).resolves.toMatchObject({ status: 'migrated' });
  });

  test('prunes the journal, and drift is seen all the same', async () => {
    const database = await bootedWith();
    await boot(database, await makeDirectory({ ...files, '20260501_after.sql': 'select 1' }));
    const prune = readPage(page).snippets.find(({ text }) => text.startsWith('delete from knex_migrations_journal'))?.text ?? '';
    await database.query(prune);
    expect(await database.query(`select from knex_migrations_journal where kind = 'schema'`)).toHaveLength(1);
    await database.query('alter table orders add column by_hand int');
    const later = await makeDirectory({ ...files, '20260501_after.sql': 'select 1', '20260601_later.sql': 'select 1' });
    const { findings } = await boot(database, later);
    expect(findings.map(({ code }) => code)).toContain('schema-drift');
  });
});
