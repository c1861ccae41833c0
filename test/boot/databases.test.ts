import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { repair } from '../../src/commands/index.js';
import {
  ensureAllMigrated,
  isMigrationError,
  type AllOptions,
  type DatabaseOptions,
  type MigrationError,
  type ProgressEvent,
} from '../../src/index.js';
import { tablesOf, type History } from '../../src/history/index.js';
import { lockKey } from '../../src/lock.js';
import { holdersOf, waitUntilRuns } from '../support/boot.js';
import { afterFile } from '../support/cleanup.js';
import { makeDirectory } from '../support/directories.js';
import { makeMigrations } from '../support/migrations.js';
import { startCode, type Script } from '../support/process.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { boot, expectAtHead, historyOf, migrationsOf, second, sleepsInServer } from './fixture.js';

// Nobody listens there.
const closed = 'postgres://app:s3cret@127.0.0.1:1/clinic';
const impatient = { timeouts: { connectMs: 200 } };

/** Boots in a process of its own, which logs to stdout and ends with the error's own exit code. */
function startAll(options: AllOptions, env: Readonly<Record<string, string>> = {}): Script {
  const code = `import { ensureAllMigrated } from 'ensure-migrated';
    ensureAllMigrated(JSON.parse(process.env.ALL)).catch((error) => (process.exitCode = error.exitCode));`;
  return startCode(code, { env: { ...env, ALL: JSON.stringify(options) } });
}

async function failureOf(options: AllOptions): Promise<MigrationError> {
  const error = await ensureAllMigrated({ logger: false, ...options }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isMigrationError(error)) throw new Error('it did not fail', { cause: error });
  return error;
}

async function isUntouched(database: TestDatabase): Promise<boolean> {
  const [row] = await database.query(`select count(*)::int as count from pg_class where relnamespace = 'public'::regnamespace`);
  return row?.['count'] === 0;
}

async function journalOf(database: TestDatabase): Promise<unknown> {
  return (await database.query(`select pg_catalog.jsonb_agg(j order by id) as rows from knex_migrations_journal j`))[0]?.['rows'];
}

describe('ten databases, of which one refuses connections and one has an edited migration', () => {
  const names = ['a', 'b', 'refusing', 'c', 'd', 'edited', 'e', 'f', 'g', 'h'];
  const head = ['0001_patients.js', '0002_email.js'];
  let databases: Readonly<Record<string, TestDatabase>>;
  let migrations: string;

  beforeAll(async () => {
    databases = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await createDatabase()] as const)));
    const patients = 'create table patients (id int)';
    migrations = await makeMigrations({ '0001_patients': patients, '0002_email': 'alter table patients add column email text' });
    await boot(at('edited'), await makeMigrations({ '0001_patients': `${patients} -- later edited` }));
  });

  const at = (name: string) => databases[name] as TestDatabase;
  const entries = (connections: Readonly<Record<string, string>> = { refusing: closed }): DatabaseOptions[] =>
    names.map((name) => ({ name, connection: connections[name] ?? at(name).url, ...(connections[name] === closed && impatient) }));
  const journals = async () =>
    await Promise.all(names.filter((name) => name !== 'refusing').map(async (name) => await journalOf(at(name))));

  test('with a canary that fails begins none of the others', async () => {
    const [refusing, ...others] = entries().sort((one) => (one.name === 'refusing' ? -1 : 0));
    const all = {
      databases: [refusing as DatabaseOptions, ...others],
      migrations,

      canary: 1,
      onFailure: 'continue',
    } as const;
    const error = await failureOf(all);
    expect(error.members.map(({ status }) => status)).toEqual(['failed', ...others.map(() => 'not-begun')]);
    expect([error.exitCode, await isUntouched(at('a'))]).toEqual([75, true]);
  });

  test('with stop leaves those that were not begun as they are', async () => {
    const error = await failureOf({ databases: entries(), migrations, concurrency: 1 });
    expect(error).toMatchObject({ code: 'EM_NOT_ALL_MIGRATED', exitCode: 75 });
    expect(error.message).toMatch(
      /^8 of 10 databases are not at head \(1 failed, 7 not begun\):\n {2}- database refusing: EM_CONNECT_TIMEOUT: /,
    );
    expect(error.message).not.toContain('s3cret');
    expect(error.members.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'a migrated',
      'b migrated',
      'refusing failed',
      ...['c', 'd', 'edited', 'e', 'f', 'g', 'h'].map((name) => `${name} not-begun`),
    ]);
    expect(await Promise.all(['c', 'd', 'e', 'f', 'g', 'h'].map(async (name) => await isUntouched(at(name))))).not.toContain(false);
    expect([await historyOf(at('b')), await historyOf(at('edited'))]).toEqual([head, head.slice(0, 1)]);
  });

  test('with continue has the eight others at head, and the process ends with 78 and says which are not', async () => {
    const a = await journalOf(at('a'));
    const script = startAll({ databases: entries(), migrations, onFailure: 'continue' });
    const { code, stdout, stderr } = await script.ended;
    expect({ code, stderr }).toEqual({ code: 78, stderr: '' });
    expect(stdout).not.toContain('s3cret');
    const failed = await script.waitForEvent('databases.failed');
    expect(failed).toMatchObject({ code: 'EM_NOT_ALL_MIGRATED', databases: expect.any(Array) as unknown });
    expect(failed).not.toHaveProperty('message');
    expect((failed['databases'] as { status: string }[]).map(({ status }) => status)).toEqual([
      ...['in-sync', 'in-sync', 'failed', 'migrated', 'migrated', 'failed', 'migrated', 'migrated', 'migrated', 'migrated'],
    ]);
    expect(failed['databases']).toContainEqual({
      database: 'edited',
      status: 'failed',
      code: 'EM_OUT_OF_SYNC',
      to: '0001_patients.js',
      appliedCount: 0,
    });
    expect(failed['databases']).toContainEqual({ database: 'h', status: 'migrated', to: '0002_email.js', appliedCount: 2 });
    const others = script.events().filter(({ event }) => event === 'boot.ready');
    expect(others.map(({ database }) => database).sort()).toEqual(['c', 'd', 'e', 'f', 'g', 'h']);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) expect([name, await historyOf(at(name))]).toEqual([name, head]);
    expect(await journalOf(at('a'))).toEqual(a);
  });

  test('once both are mended brings these two to head, in the same call, and touches no other', async () => {
    await repair(
      { connection: at('edited').url, migrations, logger: false },
      { action: 'accept', migration: '0001_patients', reason: 'a comment', yes: true },
    );
    const before = await journals();
    const outcomes = await ensureAllMigrated({ databases: entries({}), migrations, logger: false });
    expect(outcomes.map(({ name }) => name)).toEqual(names);
    expect(outcomes.filter(({ status }) => status === 'migrated').map(({ name, from, to }) => [name, from, to])).toEqual([
      ['refusing', undefined, '0002_email.js'],
      ['edited', '0001_patients.js', '0002_email.js'],
    ]);
    const after = await journals();
    const touched = names
      .filter((name) => name !== 'refusing')
      .filter((_, index) => JSON.stringify(after[index]) !== JSON.stringify(before[index]));
    expect(touched).toEqual(['edited']);
    expect(Object.isFrozen(outcomes) && outcomes.every((outcome) => Object.isFrozen(outcome))).toBe(true);
  });
});

describe('two entries', () => {
  test('that are one database and one history are refused before the first change, whoever else does not answer', async () => {
    const [one, other] = [await createDatabase(), await createDatabase()];
    const silent = await silentServer();
    const migrations = await makeMigrations({ '0001_patients': 'create table patients (id int)' });
    const again = new URL(one.url);
    again.searchParams.set('application_name', 'copied');
    const databases = [
      { name: 'other', connection: other.url },
      { name: 'silent', connection: silent },
      { name: 'refusing', connection: closed },
      { name: 'eu', connection: one.url },
      { name: 'us', connection: again },
    ];
    const error = await failureOf({ databases, migrations });
    expect(error.message.split('\n').slice(0, 2)).toEqual([
      'databases that are one and the same:',
      `  - eu, us: the history public.knex_migrations of the database "${one.name}"`,
    ]);
    expect(error).toMatchObject({ code: 'EM_CONFIG_INVALID', exitCode: 78 });
    expect([await isUntouched(one), await isUntouched(other)]).toEqual([true, true]);
  });

  test('that share a tenant are refused, and those that have their own are not', async () => {
    const database = await createDatabase();
    await database.query('create schema acme; create schema apex');
    const migrations = await makeMigrations({ '0001_patients': 'create table patients (id int)' });
    const entry = (name: string, schemas: string[]) => ({ name, connection: database.url, tenants: { schemas } });
    const error = await failureOf({ databases: [entry('eu', ['acme', 'apex']), entry('us', ['apex'])], migrations });
    expect(error.message).toContain(`\n  - eu, us: the history apex.knex_migrations of the database "${database.name}"\n`);
    expect(await database.query(`select from pg_tables where schemaname in ('acme', 'apex')`)).toEqual([]);
    const outcomes = await ensureAllMigrated({ databases: [entry('eu', ['acme']), entry('us', ['apex'])], migrations, logger: false });
    expect(outcomes.map(({ tenants }) => tenants?.map(({ name, status }) => `${name} ${status}`))).toEqual([
      ['acme migrated'],
      ['apex migrated'],
    ]);
  });

  test('whose tenants have not all come to head are told in the log with all that was applied', async () => {
    const database = await createDatabase();
    await database.query('create schema acme');
    const migrations = await makeMigrations({ '0001_patients': 'create table patients (id int)' });
    const events: ProgressEvent[] = [];
    const tenants = { schemas: ['acme', 'gone'] };
    const error = await failureOf({
      databases: [{ name: 'eu', connection: database.url, tenants }],
      migrations,
      onProgress: (event) => void events.push(event),
    });
    expect(error.members.map(({ name, error: why }) => [name, why?.members.map(({ status }) => status)])).toEqual([
      ['eu', ['migrated', 'failed']],
    ]);
    expect(events.at(-1)).toMatchObject({ event: 'databases.failed', databases: [{ database: 'eu', status: 'failed', appliedCount: 1 }] });
  });

  test('that are two histories in one database are both brought to head, each by its own options', async () => {
    const database = await createDatabase();
    const [clinic, audit] = await Promise.all([
      makeDirectory({ '0001_patients.sql': 'create table patients (id int);' }),
      makeDirectory({ '0001_log.sql': 'create table log (id int);' }),
    ]);
    const events: (readonly [string, unknown])[] = [];
    const outcomes = await ensureAllMigrated({
      migrations: clinic,
      logger: false,
      onProgress: ({ event, database: name }) => void events.push([event, name]),
      databases: [
        { name: 'clinic', connection: database.url },
        {
          name: 'audit',
          connection: database.url,
          migrations: { directory: audit, tableName: 'audit_migrations' },
          rules: { 'history-unmanaged': 'off' },
        },
      ],
      concurrency: 1,
    });
    expect(outcomes.map(({ name, to }) => [name, to])).toEqual([
      ['clinic', '0001_patients.sql'],
      ['audit', '0001_log.sql'],
    ]);
    expect(await database.query('select name from audit_migrations')).toEqual([{ name: '0001_log.sql' }]);
    expect(events.filter(([event]) => event.endsWith('.ready'))).toEqual([
      ['boot.ready', 'clinic'],
      ['boot.ready', 'audit'],
      ['databases.ready', undefined],
    ]);
  });
});

test('told to stop, a process begins no more, takes back what is at work, and ends by the signal', async () => {
  const [one, two, three] = [await createDatabase(), await createDatabase(), await createDatabase()];
  const migrations = await migrationsOf({ [second]: { statements: ['alter table notes add column author text'], stall: sleepsInServer } });
  const databases = [one, two, three].map(({ url }, index) => ({ name: `shard-${index + 1}`, connection: url }));
  const script = startAll({ databases, migrations, concurrency: 2 }, { STALL: second });
  await Promise.all([waitUntilRuns(one, 'pg_sleep'), waitUntilRuns(two, 'pg_sleep')]);
  script.signal('SIGTERM');
  expect(await script.ended).toMatchObject({ signal: 'SIGTERM', code: null });
  expect(await script.waitForEvent('databases.failed')).toMatchObject({ code: 'EM_ABORTED' });
  expect(
    script
      .events()
      .filter(({ event }) => event === 'boot.failed')
      .map(({ database, code }) => [database, code])
      .sort(),
  ).toEqual([
    ['shard-1', 'EM_ABORTED'],
    ['shard-2', 'EM_ABORTED'],
  ]);
  for (const database of [one, two]) {
    expect([await historyOf(database), await holdersOf(database)]).toEqual([['01_notes.js'], []]);
    expect(await database.query(`select from information_schema.columns where column_name = 'author'`)).toEqual([]);
  }
  expect(await isUntouched(three)).toBe(true);
});

test('kill -9 with one at head, one in the middle of a migration, one that waits and one not begun: the next call goes on in each', async () => {
  const [done, middle, waiting, unbegun] = [await createDatabase(), await createDatabase(), await createDatabase(), await createDatabase()];
  const stall = `await knex.raw("select case when current_database() = '${middle.name}' then pg_sleep(300) end");`;
  const migrations = await migrationsOf({ [second]: { statements: ['alter table notes add column author text'], stall } });
  const databases = Object.entries({ done, middle, waiting, unbegun }).map(([name, { url }]) => ({ name, connection: url }));
  const holder = await waiting.connect();
  const { namespace, key } = lockKey(
    { schema: 'public' } as History['facts'],
    tablesOf({ tableName: 'knex_migrations', schemaName: undefined }),
  );
  await holder.query(`select pg_advisory_lock(${namespace}, ${key})`);
  const script = startAll({ databases, migrations, concurrency: 2 }, { STALL: second });
  await Promise.all([waitUntilRuns(middle, 'pg_sleep'), script.waitForEvent('lock.waiting')]);
  expect(await script.kill()).toMatchObject({ signal: 'SIGKILL' });
  const head = { history: ['01_notes.js', second] };
  await expectAtHead(done, head);
  expect(await historyOf(middle)).toEqual(['01_notes.js']);
  expect(await middle.query(`select from information_schema.columns where column_name = 'author'`)).toEqual([]);
  expect([await isUntouched(waiting), await isUntouched(unbegun)]).toEqual([true, true]);
  await holder.query(`select pg_advisory_unlock(${namespace}, ${key})`);
  const outcomes = await ensureAllMigrated({ databases, migrations, logger: false }); // waits until the server has noticed
  expect(outcomes.map(({ status, applied }) => `${status} ${applied.length}`)).toEqual([
    'in-sync 0',
    'migrated 1',
    'migrated 2',
    'migrated 2',
  ]);
  for (const database of [done, middle, waiting, unbegun]) await expectAtHead(database, head);
});

/** A server that takes connections and says nothing. */
async function silentServer(): Promise<string> {
  const server = createServer(() => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  afterFile(async () => await Promise.resolve(void server.close()));
  return `postgres://app@127.0.0.1:${(server.address() as AddressInfo).port}/clinic`;
}
