import path from 'node:path';
import { expect } from 'vitest';
import { ensureMigrated, isMigrationError, type MigrationError, type Options, type Outcome } from '../../src/index.js';
import { poll } from './boot.js';
import { makeDirectory } from './directories.js';
import { createDatabase, type TestDatabase } from './servers.js';

/** A value that stands in rows and in statements. It may be in a thrown error, and never in the journal or in a log. */
export const rowValue = 'row-value-7f3a';

/** The migration under test. */
export interface Hostile {
  /** The whole file; or, with `body`, what stands in `up` after it has written into the log. */
  readonly text?: string;
  readonly body?: string;
  /** What stands in `up` of `0003_after`. */
  readonly after?: string;
  /** Default .js. */
  readonly extension?: '.js' | '.sql' | '.cjs';
  /** Outside a transaction. */
  readonly transaction?: false;
  /** Not run before its turn, to see what it would send. */
  readonly capture?: false;
  readonly options?: Options;
}

/** A database and three migrations: `0001_before`, which is well behaved, the one under test, and `0003_after`, which must not run when that fails. */
export interface Scene {
  readonly database: TestDatabase;
  /** Where the migration under test stands. */
  readonly file: string;
  readonly directory: string;
  /** What the boots so far have told. */
  readonly events: readonly Readonly<Record<string, unknown>>[];
  boot(options?: Options): Promise<Outcome>;
  /** A boot that must fail; its events hold no values of rows. */
  fail(options?: Options): Promise<MigrationError>;
  aftermath(): Promise<Aftermath>;
  /** What a person does about an unfinished migration: takes back what it has done, and records that. */
  undo(sql: string, migration?: string): Promise<void>;
  /** Boots with a mended file: it is applied, each migration ran once, and the boot after it is in sync. */
  heal(options?: Options): Promise<void>;
}

/** The database after a failure, with all that a failure may leave behind. */
export interface Aftermath {
  readonly history: readonly string[];
  /** Which migrations ran, by what they wrote themselves. */
  readonly log: readonly string[];
  /** Tables but those of the history. */
  readonly tables: readonly string[];
  readonly patientCount: number;
  /** knex's own lock row. */
  readonly isLocked: readonly number[];
  readonly owner: { readonly state: string; readonly errorCode?: string };
  /** What the journal last said of the migration under test. */
  readonly attempt: Readonly<Record<string, unknown>> | undefined;
}

/** The database as it was before the migration under test. */
export const untouched = {
  history: ['0001_before.js'],
  log: ['0001'],
  tables: ['log', 'patients'],
  patientCount: 1,
  isLocked: [0],
} as const;

export async function makeScene(hostile: Hostile): Promise<Scene> {
  const { extension = '.js' } = hostile;
  const name = `0002_hostile${extension}`;
  const database = await createDatabase();
  const directory = await writeFiles(name, hostile.text ?? moduleOf(hostile), hostile.after);
  const events: Record<string, unknown>[] = [];
  const boot = async (from: string, options: Options = {}): Promise<Outcome> =>
    await ensureMigrated({
      ...(options.knex ? {} : { connection: database.url }),
      logger: false,
      onProgress: (event) => void events.push({ ...event }),
      migrations: from,
      ...hostile.options,
      ...options,
    });
  return {
    database,
    directory,
    file: path.join(directory, name),
    events,
    boot: async (options) => await boot(directory, options),
    fail: async (options) => {
      const error = await failureOf(boot(directory, options));
      expect(JSON.stringify(events)).not.toContain(rowValue);
      return error;
    },
    aftermath: async () => await readAftermath(database, name),
    undo: async (sql, migration = name) => {
      await database.query(sql);
      const detail = JSON.stringify({ direction: 'up', status: 'undone' });
      const repair = `insert into knex_migrations_journal (run, kind, migration, detail) values (gen_random_uuid(), 'repair', $1, $2)`;
      await database.query(repair, [migration, detail]);
    },
    heal: async (options) => {
      const mended = await writeFiles(name, extension === '.sql' ? mendedSql : moduleOf({}));
      const last = { status: 'migrated', to: '0003_after.js' };
      expect(await boot(mended, options)).toMatchObject(last);
      expect(await boot(mended, options)).toMatchObject({ ...last, status: 'in-sync' });
      const history = ['0001_before.js', name, '0003_after.js'];
      const after = { history, log: ['0001', '0002', '0003'], isLocked: [0], owner: { state: 'clear' } };
      expect(await readAftermath(database, name)).toMatchObject(after);
    },
  };
}

/** What the boot threw. */
export async function failureOf(boot: Promise<unknown>): Promise<MigrationError> {
  const error = await boot.then(
    () => new Error('the boot did not fail'),
    (thrown: unknown) => thrown,
  );
  if (!isMigrationError(error)) throw error;
  return error;
}

const before = `export async function up(knex) {
  await knex.raw('create table log (name text not null)');
  await knex.raw('create table patients (id serial primary key, name text, email text unique)');
  await knex('patients').insert({ name: 'Ada', email: 'ada@example.org' });
  await knex('log').insert({ name: '0001' });
}
export async function down() {}
`;

const mendedSql = `insert into log values ('0002');\n`;

async function writeFiles(name: string, text: string, body = ''): Promise<string> {
  const after = moduleOf({ log: '0003', body });
  return await makeDirectory({ 'package.json': '{ "type": "module" }', '0001_before.js': before, [name]: text, '0003_after.js': after });
}

function moduleOf({ body = '', transaction, capture, log = '0002' }: Hostile & { readonly log?: string }): string {
  return `export const config = { transaction: ${transaction ?? true}, capture: ${capture ?? true} };
export async function up(knex) {
  await knex('log').insert({ name: '${log}' });
  ${body}
}
export async function down() {}
`;
}

// One query, since each costs a login. The sessions of a boot that has ended may take a moment to go.
async function readAftermath(database: TestDatabase, name: string): Promise<Aftermath> {
  return await poll(async () => {
    const [row] = await database.query(aftermathSql, [name]);
    const { left, journal, ...aftermath } = row as Aftermath & { readonly left: number; readonly journal: string };
    expect(journal).not.toContain(rowValue);
    return left === 0 ? { ...aftermath, attempt: aftermath.attempt ?? undefined } : undefined;
  }, 5_000);
}

const aftermathSql = `
  select (select count(*)::int from pg_stat_activity where datname = current_database() and application_name like 'ensure-migrated/%')
       + (select count(*)::int from pg_locks l join pg_database d on d.oid = l.database where locktype = 'advisory' and datname = current_database()) as left,
    (select string_agg(j::text, ' ') from knex_migrations_journal j) as journal,
    array(select name::text from knex_migrations order by id) as history,
    array(select name from log) as log,
    array(select relname::text from pg_class
          where relnamespace = 'public'::regnamespace and relkind = 'r' and relname not like 'knex%' order by 1) as tables,
    (select count(*)::int from patients) as "patientCount",
    array(select is_locked from knex_migrations_lock) as "isLocked",
    (select detail from knex_migrations_journal where kind = 'owner') as owner,
    (select detail from knex_migrations_journal where kind = 'attempt' and migration = $1 order by id desc limit 1) as attempt`;
