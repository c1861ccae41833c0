import { describe, expect, test } from 'vitest';
import { startCall } from '../src/call.js';
import { resolveConfig, type Options } from '../src/config/index.js';
import { ensureMigrated } from '../src/index.js';
import { replay, type ReplayRequest } from '../src/replay.js';
import { readSchema, type Schema } from '../src/schema/index.js';
import { withScratch } from '../src/scratch.js';
import { openSession, type Session } from '../src/session/index.js';
import { listMigrations, type Migration } from '../src/source/index.js';
import { makeDirectory } from './support/directories.js';
import { createDatabase, type TestDatabase } from './support/servers.js';

type Replaying = (
  select: (migrations: readonly Migration[]) => readonly Migration[],
  request?: Partial<ReplayRequest>,
) => Promise<{ schema: Schema; history: string[] }>;

const tables = ['knex_migrations', 'knex_migrations_lock', 'knex_migrations_journal'].map((name) => `"${name}"`);

/** Works with replays of a directory in one scratch database beside `database`. */
async function inReplays<T>(database: TestDatabase, options: Options, work: (replaying: Replaying) => Promise<T>): Promise<T> {
  using call = startCall(resolveConfig({ connection: database.url, logger: false, ...options }));
  await using session = await openSession(call);
  const migrations = await listMigrations(call.config.migrations);
  return await withScratch(
    { call, session },
    async (scratch) =>
      await work(
        async (select, request) => await replay({ call, scratch, migrations: select(migrations), schema: undefined, ...request }, look),
      ),
  );
}

async function look(session: Session): Promise<{ schema: Schema; history: string[] }> {
  const rows = await session.query<{ name: string }>('select name from knex_migrations order by id').catch(() => []);
  return { schema: await schemaOf(session), history: rows.map(({ name }) => name) };
}

async function schemaOf(session: Session): Promise<Schema> {
  return await readSchema((text) => session.query(text), { excluded: tables });
}

const all = (migrations: readonly Migration[]) => migrations;

const files = {
  'package.json': '{ "type": "module" }',
  '01_patients.js': `export async function up(knex) {
    await knex.schema.createTable('patients', (table) => { table.increments(); table.text('name').notNullable(); });
    await knex('patients').insert({ name: 'Ada' });
  }
  export async function down() {}`,
  '02_email.sql': `alter table patients add column email text;\ncreate view emails as select email from patients;\n`,
  '03_index.sql': `-- transaction: false\ncreate index concurrently patients_email on patients (email);\nanalyze patients;\n`,
};

describe('a replay', () => {
  test('makes what a boot makes of an empty database, and goes on from where the last one stood', async () => {
    const [real, booted] = [await createDatabase(), await createDatabase()];
    const directory = await makeDirectory(files);
    await ensureMigrated({ connection: booted.url, migrations: directory, logger: false });
    await inReplays(real, { migrations: directory }, async (replaying) => {
      expect((await replaying(() => [])).history).toEqual([]);
      const first = await replaying((migrations) => migrations.slice(0, 1));
      expect(first.history).toEqual(['01_patients.js']);
      const whole = await replaying(all);
      expect(whole.history).toEqual(['01_patients.js', '02_email.sql', '03_index.sql']);
      using call = startCall(resolveConfig({ connection: booted.url, migrations: directory, logger: false }));
      await using session = await openSession(call);
      expect(whole.schema).toEqual(await schemaOf(session));
      expect(first.schema.lines.length).toBeLessThan(whole.schema.lines.length);
    });
    expect(await real.query(`select relname from pg_class where relnamespace = 'public'::regnamespace`)).toEqual([]);
  });

  test('lets each statement of a migration be heard, with its values and without what is ours', async () => {
    const database = await createDatabase();
    const heard: unknown[] = [];
    await inReplays(database, { migrations: await makeDirectory(files) }, async (replaying) => {
      await replaying(all, { onStatement: (...statement) => void heard.push(statement) });
    });
    expect(heard).toEqual([
      ['01_patients.js', 'create table "patients" ("id" serial primary key, "name" text not null)', []],
      ['01_patients.js', 'insert into "patients" ("name") values ($1)', ['Ada']],
      ['02_email.sql', files['02_email.sql'], undefined],
      ['03_index.sql', 'create index concurrently patients_email on patients (email)', undefined],
      ['03_index.sql', 'analyze patients', undefined],
    ]);
  });

  test('is not refused by what is asked of the real database, and says nothing of itself', async () => {
    const database = await createDatabase();
    const events: string[] = [];
    const options: Options = {
      migrations: await makeDirectory(files),
      expect: { database: database.name },
      baseline: '03_index',
      mode: 'verify',
      checks: [{ name: 'never', run: () => Promise.reject(new Error('refused')) }],
      onProgress: ({ event }) => void events.push(event),
    };
    const { history } = await inReplays(database, options, async (replaying) => await replaying(all));
    expect(history).toHaveLength(3);
    expect(events).toEqual([]);
  });

  test('has the schema of the history from the start', async () => {
    const database = await createDatabase();
    await database.query('create schema app');
    const migrations = { directory: await makeDirectory({ '01_a.sql': 'create table app.a (id int);' }), schemaName: 'app' };
    const { schema } = await inReplays(database, { migrations }, async (replaying) => await replaying(all, { schema: 'app' }));
    expect(schema.lines.filter(({ kind }) => kind === 'table').map(({ identity }) => identity)).toEqual(['app.a']);
  });

  test('of a migration that takes an object for granted fails with its name, and leaves the real database alone', async () => {
    const database = await createDatabase();
    await database.query('create table made_by_hand (id int)');
    const migrations = await makeDirectory({ ...files, '04_late.sql': 'alter table made_by_hand add column name text;' });
    await expect(inReplays(database, { migrations }, async (replaying) => await replaying(all))).rejects.toMatchObject({
      code: 'EM_REPLAY_FAILED',
      message: expect.stringMatching(/in an empty scratch database: migration 04_late.sql failed.*made_by_hand/) as string,
      cause: { code: 'EM_MIGRATION_FAILED' },
    });
    expect(await database.query(`select relname from pg_class where relnamespace = 'public'::regnamespace`)).toEqual([
      { relname: 'made_by_hand' },
    ]);
  });

  test('ends when the call is told to stop', async () => {
    const database = await createDatabase();
    const stop = new AbortController();
    const migrations = await makeDirectory({ '01_slow.sql': 'select pg_sleep(300);' });
    const replaying = inReplays(
      database,
      { migrations, signal: stop.signal },
      async (run) => await run(all, { onStatement: () => void setTimeout(() => stop.abort(), 200) }),
    );
    await expect(replaying).rejects.toMatchObject({ code: 'EM_ABORTED' });
    expect(await database.query(`select datname from pg_stat_activity where query like 'select pg_sleep(300)%'`)).toEqual([]);
  });
});
