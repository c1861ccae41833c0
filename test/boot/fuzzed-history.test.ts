import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import {
  baseline,
  current,
  downgrade,
  drift,
  history,
  plan,
  preflight,
  repair,
  repairActions,
  stamp,
  status,
  upgrade,
} from '../../src/commands/index.js';
import { ensureMigrated, isMigrationError, type Options } from '../../src/index.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { first, migrationsOf, second } from './fixture.js';

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 5);

// One schema for each case, made as a copy of one that a boot has made.
let database: TestDatabase;
let directory: string;
let made = 0;

beforeAll(async () => {
  database = await createDatabase();
  directory = await migrationsOf({ [second]: { statements: [] } });
});

async function makeCase(): Promise<{ schema: string; options: Options }> {
  const schema = `case_${++made}`;
  await database.query(`create schema ${schema}`);
  const options: Options = {
    connection: database.url,
    migrations: { directory, schemaName: schema },
    searchPath: [schema],
    logger: false,
    timeouts: { lockMs: 300, callMs: 5_000 },
  };
  await ensureMigrated({ ...options, migrations: { directory: await migrationsOf({}), schemaName: schema } });
  return { schema, options };
}

const json = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.dictionary(
    fc.constantFrom(
      'state',
      'run',
      'digest',
      'unknown',
      'before',
      'migration',
      'flag',
      'step',
      'status',
      'direction',
      'checksum',
      'breaks',
      'breaking',
      'lines',
      'history',
      'catalogs',
      'hash',
      'safe',
      'batch',
    ),
    fc.oneof(
      fc.jsonValue({ maxDepth: 1 }),
      fc.constantFrom('active', 'failed', 'clear', 'started', 'unfinished', 'done', 'up', 'js:x', 'sql:'),
    ),
  ),
);
const quoted = (value: unknown) => `'${JSON.stringify(value).replaceAll("'", "''").replaceAll('\\u0000', '')}'`;
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }).map((each) => each.replaceAll('\0', '')),
  fc.constantFrom('', '\n', 'a\nb', '01_notes.js', '\u001b[31m', '../x.js', 'é'.repeat(255), "'; drop table ran; --"),
);
const name = fc.option(text).map((each) => (each === null ? 'null' : `$em$${each}$em$`));

const kind = fc.constantFrom('attempt', 'statement', 'stamp', 'repair', 'schema');
const change = fc.oneof(
  json.map((detail) => `update knex_migrations_journal set detail = ${quoted(detail)} where kind = 'owner'`),
  json.map((detail) => `update knex_migrations_journal set detail = detail || ${quoted(detail)} where kind = 'owner'`),
  json.map((detail) => `update knex_migrations_journal set detail = detail || ${quoted(detail)} where kind <> 'owner'`),
  fc
    .tuple(kind, name, json)
    .map(
      ([each, migration, detail]) =>
        `insert into knex_migrations_journal (run, kind, migration, detail) values (gen_random_uuid(), '${each}', ${migration}, ${quoted(detail)})`,
    ),
  kind.map((each) => `delete from knex_migrations_journal where kind = '${each}'`),
  fc
    .constantFrom('infinity', '-infinity', '0001-01-01 bc')
    .map((at) => `update knex_migrations_journal set at = '${at}'; update knex_migrations set migration_time = '${at}'`),
  name.map((each) => `update knex_migrations set name = left(${each}, 255)`),
  fc
    .tuple(fc.integer(), name, fc.constantFrom(-1, 0, 2147483647))
    .map(
      ([id, each, batch]) =>
        `insert into knex_migrations (id, name, batch) values (${id}, left(${each}, 255), ${batch}) on conflict do nothing`,
    ),
  fc.constantFrom(
    'alter table knex_migrations drop column migration_time',
    'alter table knex_migrations add column extra text not null default 1',
    'alter table knex_migrations add column extra text',
    'alter table knex_migrations alter column name type text, alter column batch type bigint',
    'alter table knex_migrations alter column name type bytea using null',
    'alter table knex_migrations alter column name type text[] using array[name]',
    'alter table knex_migrations rename to old; create view knex_migrations as select * from old',
    'alter table knex_migrations rename to old; create materialized view knex_migrations as select * from old',
    'alter table knex_migrations rename to old; create table knex_migrations (like old including defaults) partition by list (id); create table part partition of knex_migrations default; insert into knex_migrations select * from old',
    'drop table knex_migrations; create sequence knex_migrations',
    'drop table knex_migrations; create type knex_migrations as (id int, name text)',
    'alter table knex_migrations_journal rename to old; create view knex_migrations_journal as select * from old',
    'drop table knex_migrations_journal',
    'drop table knex_migrations_lock; create view knex_migrations_lock as select 1 as index, 0 as is_locked',
    'alter table knex_migrations_lock alter column is_locked type boolean using false',
    'truncate knex_migrations_lock',
    'insert into knex_migrations_lock (is_locked) values (null), (1)',
    'alter table knex_migrations_journal add constraint narrow check (length(detail::text) < 5) not valid',
  ),
);

const asked = { reason: 'fuzzed', yes: true };
const verbs: Readonly<Record<string, (options: Options) => Promise<unknown>>> = {
  status,
  history,
  current: async (options) => await current(options),
  plan: async (options) => await plan(options),
  preflight,
  drift: async (options) => await drift(options),
  baseline: async (options) => await baseline(options),
  upgrade: async (options) => await upgrade(options),
  'downgrade -1': async (options) => await downgrade(options, { target: { steps: 1 }, yes: true }),
  'downgrade base': async (options) => await downgrade(options, { target: 'base', yes: true }),
  'stamp head': async (options) => await stamp(options, { target: 'head', ...asked }),
  'stamp base': async (options) => await stamp(options, { target: 'base', ...asked }),
  'stamp purge': async (options) => await stamp(options, { target: 'head', purge: true, ...asked }),
  'stamp force': async (options) => await stamp(options, { target: { to: first }, force: true, ...asked }),
  ...Object.fromEntries(
    repairActions.map((action) => [
      `repair ${action}`,
      async (options: Options) => await repair(options, { action, ...(action !== 'lock' && { migration: first }), ...asked }),
    ]),
  ),
};

test('whatever stands in the tables of the history: it works, or is refused with a code that says what to do, and nothing is written', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), fc.constantFrom(...Object.keys(verbs)), async (changes, verb) => {
      const { schema, options } = await makeCase();
      const client = await database.connect();
      await client.query(`set search_path = ${schema}`);
      for (const each of changes) await client.query(each).catch(() => undefined);
      const ran = async () => (await client.query<{ name: string }>('select name from ran order by name')).rows.map((row) => row.name);
      const before = await ran();
      await verbs[verb]?.(options).catch(codeOf);
      const code = await ensureMigrated(options).then(() => undefined, codeOf);
      const after = await ran();
      // A down of these migrations takes no name out of `ran`.
      if (verb.startsWith('downgrade')) expect(new Set(after)).toEqual(new Set([...before, ...after]));
      else if (code === undefined || code === 'EM_VERIFY_FAILED') expect(new Set(after).size).toBe(after.length);
      else expect(after).toEqual(before);
      await client.query(`drop schema ${schema} cascade`);
      await client.end();
    }),
    { numRuns, endOnFailure: true, ...(process.env['FUZZ_SEED'] && { seed: Number(process.env['FUZZ_SEED']) }) },
  );
}, 600_000);

function codeOf(error: unknown): string {
  if (!isMigrationError(error) || error.code === 'EM_INTERNAL') throw error;
  expect(error.remedy).not.toBe('');
  return error.code;
}
