import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import createKnex, { type Knex } from 'knex';
import { ensureMigrated, isMigrationError, type MigrationError, type Options, type Outcome } from '../../src/index.js';
import { afterFile } from '../support/cleanup.js';
import { makeDirectory } from '../support/directories.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

/** A file with its text, or the name of one with the text of {@link moduleOf}. */
export type Files = string | Readonly<Record<string, string>>;

/** A service: its database, and its migrations, which change from release to release. */
export interface Project {
  readonly database: TestDatabase;
  readonly directory: string;
  /** What the boots so far have told. */
  readonly events: readonly { readonly event: string; readonly [field: string]: unknown }[];
  /** Adds migrations, or writes them anew. */
  write(...files: readonly Files[]): Promise<void>;
  remove(...names: readonly string[]): Promise<void>;
  boot(options?: Options): Promise<Outcome>;
  /** A boot that must fail. */
  fail(options?: Options): Promise<MigrationError>;
  /** How a boot ends, in a line: its status or its code, then what the rules of the state have found. */
  ending(options?: Options): Promise<string>;
  /** The same for several boots: `mode`, or `mode rule level`; `wait` has no patience. */
  endings(...boots: readonly string[]): Promise<Record<string, string>>;
  /** knex itself on the same migrations; destroyed after the file's tests. */
  knex(config?: Knex.Config): Knex;
  /** The names of the history, in the order in which they ran. */
  history(): Promise<string[]>;
  /** What the migrations themselves wrote when they ran: what ran twice stands here twice. */
  ran(): Promise<string[]>;
  /** All rows that a boot could write. */
  contents(): Promise<unknown>;
}

/** A fresh database, and a directory with these migrations. */
export async function makeProject(...files: readonly Files[]): Promise<Project> {
  const database = await createDatabase();
  const directory = await makeDirectory();
  const events: Project['events'][number][] = [];
  const boot = async (options: Options = {}): Promise<Outcome> =>
    await ensureMigrated({
      ...(options.knex ? {} : { connection: database.url, migrations: directory }),
      logger: false,
      onProgress: (event) => void events.push(event),
      ...options,
    });
  const column = async (sql: string): Promise<string[]> => (await database.query(sql)).map((row) => Object.values(row)[0] as string);
  const ending = async (options?: Options): Promise<string> => endingOf(await boot(options).catch((error: unknown) => asOurs(error)));
  const project: Project = {
    database,
    directory,
    events,
    write: async (...written) => {
      const texts = Object.assign({}, ...written.map((file) => (typeof file === 'string' ? { [file]: moduleOf(file) } : file))) as object;
      for (const [name, text] of Object.entries(texts)) await writeFile(path.join(directory, name), text as string);
    },
    remove: async (...names) => {
      for (const name of names) await rm(path.join(directory, name));
    },
    boot,
    fail: async (options) => {
      const end = await boot(options).catch((error: unknown) => asOurs(error));
      if (!isMigrationError(end)) throw new Error(`the boot did not fail: ${end.status}`);
      return end;
    },
    ending,
    endings: async (...boots) => {
      const ends: Record<string, string> = {};
      for (const each of boots) ends[each] = await ending(optionsOf(each));
      return ends;
    },
    knex: (config) => knexOn(database, directory, config),
    history: async () => await column('select name from knex_migrations order by id'),
    ran: async () => await column('select name from ran order by id'),
    contents: async () =>
      await Promise.all(
        ['', '_lock', '_journal'].map(async (suffix) => await database.query(`select * from knex_migrations${suffix} order by 1`)),
      ),
  };
  await project.write(...files);
  return project;
}

/** A CommonJS migration that writes the name of its file into the table `ran` and makes a table of that name. */
export function moduleOf(file: string, { sql = [], config }: { sql?: readonly string[]; config?: object } = {}): string {
  const name = file.replace(/\.\w+$/, '');
  const statements = [
    'create table if not exists ran (id int generated always as identity, name text not null)',
    `insert into ran (name) values ('${name}')`,
    `create table "t_${name}" (id int)`,
    ...sql,
  ];
  return `${config === undefined ? '' : `exports.config = ${JSON.stringify(config)};\n`}exports.up = async (knex) => {
  for (const statement of ${JSON.stringify(statements)}) await knex.raw(statement);
};
exports.down = async (knex) => {
  await knex('ran').insert({ name: 'down ${name}' });
  await knex.schema.dropTable('t_${name}');
};
`;
}

/** A migration of {@link moduleOf} that older code can live with. */
export function compatible(file: string): Record<string, string> {
  return { [file]: moduleOf(file, { config: { breaking: false } }) };
}

/** One that it cannot live with, by what it does. */
export function breaking(file: string): Record<string, string> {
  return { [file]: moduleOf(file, { sql: ['alter table "t_01_a" drop column id'] }) };
}

function optionsOf(boot: string): Options {
  const [mode = '', rule, level] = boot.split(' ');
  const rules = rule === undefined ? {} : { rules: { [rule]: level } };
  return { mode: mode as 'wait', ...rules, ...(mode === 'wait' && { timeouts: { lockMs: 1 } }) };
}

function asOurs(error: unknown): MigrationError {
  if (!isMigrationError(error)) throw error;
  return error;
}

function endingOf(end: Outcome | MigrationError): string {
  const found = end.findings.filter(({ code }) => /^(history|schema)-/.test(code)).map(({ code, level }) => `${code}:${level}`);
  return [isMigrationError(end) ? end.code : end.status, ...found].join(' ');
}

function knexOn(database: TestDatabase, directory: string, config: Knex.Config = {}): Knex {
  const silent = () => undefined;
  const knex = createKnex({
    client: 'pg',
    connection: database.url,
    log: { warn: silent, error: silent, debug: silent, deprecate: silent },
    ...config,
    migrations: { directory, ...config.migrations },
  });
  afterFile(async () => await knex.destroy());
  return knex;
}
