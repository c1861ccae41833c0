import { describe, expect, test } from 'vitest';
import { ensureMigrated, type Options } from '../../src/index.js';
import { poll, waitUntilBlocked } from '../support/boot.js';
import { makeMigrations } from '../support/migrations.js';
import { describeWithPgBouncer, startPgBouncer, type PgBouncer } from '../support/pgbouncer.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

const transactional = {
  '01_patients': 'create table patients (id int generated always as identity primary key, name text)',
  '02_rows': `insert into patients (name) select 'p' || n from generate_series(1, 2000) n`,
  '03_email': 'alter table patients add column email text',
};
const names = ['01_patients.js', '02_rows.js', '03_email.js'];
const concurrent = { '04_index': { sql: 'create index concurrently patients_name on patients (name)', transaction: false } } as const;

describeWithPgBouncer('behind PgBouncer', () => {
  describe.each(['transaction', 'session'] as const)('in %s mode', (poolMode) => {
    test('all pending migrations run in one transaction, and the next boot finds them', async () => {
      const { database, pooler, boot } = await start(poolMode);
      await expect(boot(await makeMigrations(transactional))).resolves.toMatchObject({
        status: 'migrated',
        applied: names.map((name) => ({ name, tries: 1 })),
        findings: [expect.objectContaining({ code: 'pooler', level: 'warn' })],
      });
      expect(await database.query('select distinct xmin::text from knex_migrations')).toHaveLength(1);
      await expectEachOnce(database);
      await expect(boot(await makeMigrations(transactional))).resolves.toMatchObject({ status: 'in-sync', applied: [] });
      await expectNothingSet(database, pooler);
    });

    test('one that cannot run in a transaction is refused before anything has run', async () => {
      const { database, pooler, boot } = await start(poolMode);
      const error = await boot(await makeMigrations({ ...transactional, ...concurrent })).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'EM_PLAN_REFUSED', retryable: false });
      expect((error as Error).message).toMatch(/behind a connection pooler: 04_index\.js\n.*directConnection/);
      expect(await relations(database)).toEqual([]);
      await expectNothingSet(database, pooler);
      await expect(boot(await makeMigrations(transactional))).resolves.toMatchObject({ status: 'migrated' });
    });

    test('with directConnection the migrations go around it, the concurrent one too', async () => {
      const { database, pooler, boot } = await start(poolMode);
      const migrations = await makeMigrations({ ...transactional, ...concurrent });
      const around = { directConnection: database.url };
      await expect(boot(migrations, around)).resolves.toMatchObject({ status: 'migrated', applied: [{}, {}, {}, {}], findings: [] });
      expect(await database.query(`select indisvalid from pg_index where indexrelid = 'patients_name'::regclass`)).toEqual([
        { indisvalid: true },
      ]);
      await expect(boot(migrations)).resolves.toMatchObject({ status: 'in-sync' });
      await expectNothingSet(database, pooler);
    });

    test('a directConnection to another database is refused, and neither of the two is changed', async () => {
      const { database, boot } = await start(poolMode);
      const other = await createDatabase();
      const error = await boot(await makeMigrations(transactional), { directConnection: other.url }).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'EM_CHECK_FAILED' });
      expect((error as Error).message).toContain(`leads to another place than connection: database "${other.name}"`);
      expect([await relations(database), await relations(other)]).toEqual([[], []]);
    });

    test('the timeouts of the role do not end a migration', async () => {
      const { database, pooler, boot } = await start(poolMode);
      await database.query(`alter database ${database.name} set statement_timeout = 100`);
      await expect(boot(await makeMigrations({ '01_slow': 'select pg_sleep(0.3)' }))).resolves.toMatchObject({ status: 'migrated' });
      await expectNothingSet(database, pooler);
    });

    test('a migration that fails is rolled back with all the others, and nothing stays behind', async () => {
      const { database, pooler, boot } = await start(poolMode);
      const broken = { ...transactional, '03_email': 'alter table patients add column name text' };
      await expect(boot(await makeMigrations(broken))).rejects.toMatchObject({ code: 'EM_MIGRATION_FAILED' });
      expect(await relations(database)).toEqual([]);
      await expectNothingSet(database, pooler);
      await expect(boot(await makeMigrations(transactional))).resolves.toMatchObject({ status: 'migrated', applied: [{}, {}, {}] });
      await expectEachOnce(database);
    });

    describe("while knex's own lock is set by somebody else", () => {
      const last = { ...transactional, '04_phone': 'alter table patients add column phone text' };

      async function locked(statement: string) {
        const { boot, ...rest } = await start(poolMode);
        await boot(await makeMigrations(transactional));
        const knex = await rest.database.connect();
        await knex.query(statement);
        const migrations = await makeMigrations(last);
        const events: string[] = [];
        const onProgress = ({ event }: { event: string }): void => void events.push(event);
        return { ...rest, knex, events, boot: async (options?: Options) => await boot(migrations, { onProgress, ...options }) };
      }

      const set = 'update knex_migrations_lock set is_locked = 1';
      const held = `begin; ${set}`;

      test.each([
        ['committed', set, 'update knex_migrations_lock set is_locked = 0'],
        ['in an open transaction', held, 'rollback'],
      ])('(%s) it is waited for without a transaction and without our lock', async (_how, statement, release) => {
        const { database, pooler, knex, events, boot } = await locked(statement);
        const outcome = boot();
        await poll(() => Promise.resolve(events.find((event) => event === 'lock.knex-waiting')));
        const { rows } = await knex.query<{ pid: number }>('select pg_backend_pid() as pid');
        const open = `select from pg_stat_activity where datname = current_database() and state = 'idle in transaction' and pid <> $1`;
        await poll(async () => {
          const held = [...(await locks(database)), ...(await database.query(open, [rows[0]!.pid]))];
          return held.length === 0 || undefined;
        });
        await knex.query(release);
        await expect(outcome).resolves.toMatchObject({ status: 'migrated', applied: [{ name: '04_phone.js' }] });
        expect(await database.query('select name from ran order by name')).toHaveLength(4);
        expect(await database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
        await expectNothingSet(database, pooler);
      });

      test.each([
        ['committed', set, [{ is_locked: 1 }], 'other sessions here: pid'],
        ['in an open transaction', held, [{ is_locked: 0 }], 'in a transaction that is still open: pid'],
      ])('(%s) and stays so for lockMs, nothing is changed', async (_how, statement, rows, by) => {
        const { database, pooler, knex, boot } = await locked(statement);
        const started = performance.now();
        const error = await boot({ timeouts: { lockMs: 700 } }).catch((thrown: unknown) => thrown);
        expect(performance.now() - started).toBeGreaterThanOrEqual(700);
        const { rows: pids } = await knex.query<{ pid: number }>('select pg_backend_pid() as pid');
        expect(error).toMatchObject({ code: 'EM_KNEX_LOCKED', exitCode: 78 });
        expect((error as Error).message).toContain(`${by} ${pids[0]!.pid} (`);
        expect(await database.query('select is_locked from knex_migrations_lock')).toEqual(rows);
        await knex.query('rollback; update knex_migrations_lock set is_locked = 0');
        await expectEachOnce(database);
        await expectNothingSet(database, pooler);
      });

      test('and what it was waited for has migrated, nothing is left to do', async () => {
        const { database, knex, events, boot } = await locked(set);
        const outcome = boot();
        await poll(() => Promise.resolve(events.find((event) => event === 'lock.knex-waiting')));
        const done = `insert into knex_migrations (name, batch, migration_time) values ('04_phone.js', 2, now())`;
        await knex.query(`begin; ${done}; update knex_migrations_lock set is_locked = 0; commit`);
        await expect(outcome).resolves.toMatchObject({ status: 'in-sync', to: '04_phone.js', applied: [] });
        expect(await locks(database)).toEqual([]);
      });
    });

    describe('while a transaction holds a table that a migration alters', () => {
      async function blocked() {
        const { boot, ...rest } = await start(poolMode);
        await boot(await makeMigrations(transactional));
        const reader = await rest.database.connect();
        await reader.query('begin');
        await reader.query('select from patients');
        const migrations = await makeMigrations({ ...transactional, '04_phone': 'alter table patients add column phone text' });
        return { ...rest, reader, boot: async (options?: Options) => await boot(migrations, options) };
      }

      test('each try is bounded by lock_timeout, undone to a savepoint and made again', async () => {
        const { database, pooler, reader, boot } = await blocked();
        let onRetried = (): void => undefined;
        const retried = new Promise<void>((resolve) => (onRetried = resolve));
        const outcome = boot({ onProgress: ({ event }) => event === 'step.retried' && onRetried() });
        await Promise.race([retried, outcome]);
        await reader.query('commit');
        const { applied } = await outcome;
        expect(applied).toMatchObject([{ name: '04_phone.js' }]);
        expect(applied[0]!.tries).toBeGreaterThan(1);
        expect(await database.query(`select count(*)::int as count from ran where name = '04_phone'`)).toEqual([{ count: 1 }]);
        await expectNothingSet(database, pooler);
      });

      test('a boot that is stopped leaves nothing behind, and the next one runs what is pending', async () => {
        const { database, pooler, reader, boot } = await blocked();
        const stop = new AbortController();
        const stopped = expect(boot({ signal: stop.signal })).rejects.toMatchObject({ code: 'EM_ABORTED' });
        await waitUntilBlocked(database);
        stop.abort();
        await stopped;
        await reader.query('commit');
        await expectNothingSet(database, pooler);
        expect(await database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
        await expect(boot()).resolves.toMatchObject({ status: 'migrated', applied: [{ name: '04_phone.js' }] });
      });
    });
  });
});

async function start(poolMode: 'transaction' | 'session') {
  const database = await createDatabase();
  // One server connection for all: whatever a boot leaves on it, the next client meets.
  const pooler = await startPgBouncer(database.url, { poolMode, settings: { default_pool_size: 1, server_reset_query: '' } });
  const boot = async (migrations: string, options: Options = {}) =>
    await ensureMigrated({ connection: pooler.urlOf(database.url), migrations, logger: false, ...options });
  return { database, pooler, boot };
}

/** A client that comes after us through the pooler finds the session as a fresh one is, and no lock. */
async function expectNothingSet(database: TestDatabase, pooler: PgBouncer): Promise<void> {
  // Those of plpgsql come with its code, which a DO statement loads.
  const asked = `select name, setting from pg_settings where name <> 'application_name' and name not like 'plpgsql.%' order by name`;
  const follower = await database.connect(pooler.urlOf(database.url));
  const { rows } = await follower.query(asked);
  const listening = await follower.query('select pg_listening_channels()');
  await follower.end();
  expect(rows).toEqual(await database.query(asked));
  expect(listening.rows).toEqual([]);
  expect(await locks(database)).toEqual([]);
}

async function locks(database: TestDatabase) {
  return await database.query(
    `select pid, mode from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
  );
}

async function relations(database: TestDatabase) {
  return await database.query(`select relname from pg_class where relnamespace = 'public'::regnamespace`);
}

async function expectEachOnce(database: TestDatabase): Promise<void> {
  expect(await database.query('select name from knex_migrations order by id')).toEqual(names.map((name) => ({ name })));
  expect(await database.query('select name from ran order by name')).toEqual(names.map((name) => ({ name: name.replace('.js', '') })));
  expect(await database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
  expect(await locks(database)).toEqual([]);
}
