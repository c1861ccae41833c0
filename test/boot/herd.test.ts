import { beforeAll, expect, test } from 'vitest';
import { sessionsOf, startBoot, waitUntilRuns } from '../support/boot.js';
import { startHerd, type Booted, type Herd } from '../support/herd.js';
import { makeMigrations } from '../support/migrations.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { startServer, type TestDatabase, type TestServer } from '../support/servers.js';

const count = 20;
const rounds = 3;

const rest = {
  '01_patients': 'create table patients (id int generated always as identity primary key, name text)',
  '02_rows': `insert into patients (name) select 'p' || n from generate_series(1, 2000) n`,
  '04_email': 'alter table patients add column email text',
};

let server: TestServer;
let herd: Herd;
let directory: string;
beforeAll(async () => {
  const index = { sql: 'create index concurrently patients_name on patients (name)', transaction: false } as const;
  directory = await makeMigrations({ ...rest, '03_index': index });
  // A server of its own: its log is searched for deadlocks.
  server = await startServer({ settings: { max_connections: 100, log_line_prefix: '[%e] ' } });
  herd = await startHerd(count);
});

test(`${count} processes boot at once on an empty database: each migration runs once and all are ready, ${rounds} times`, async () => {
  for (let round = 0; round < rounds; round++) {
    const database = await server.createDatabase();
    const booted = await herd.boot({ connection: database.url, migrations: directory });
    expectOneApplier(booted);
    await expectEachOnce(database);
    await expectSound(database);
  }
  expect(await server.readLog()).not.toMatch(/\[40P01\]|deadlock/);
});

describeWithPgBouncer('behind PgBouncer in transaction mode', () => {
  test(`${count} processes boot at once: each migration runs once and all are ready, twice`, async () => {
    const transactional = await makeMigrations({ ...rest, '03_index': 'create index patients_name on patients (name)' });
    for (let round = 0; round < 2; round++) {
      const database = await server.createDatabase();
      // Fewer server connections than clients, so that they are really shared.
      const pooler = await startPgBouncer(database.url, { settings: { default_pool_size: 6 } });
      const booted = await herd.boot({ connection: pooler.urlOf(database.url), migrations: transactional });
      expectOneApplier(booted);
      await expectEachOnce(database);
      await expectSound(database);
      await pooler.stop();
    }
    expect(await server.readLog()).not.toMatch(/\[40P01\]|deadlock/);
  });
});

test('those who wait name the holder, and how far it is: migration k of n', async () => {
  const database = await server.createDatabase();
  const gate = await database.connect();
  await gate.query('select pg_advisory_lock(7)');
  const gated = await makeMigrations({
    '01_patients': 'create table patients (id int primary key)',
    '02_gated': 'select pg_advisory_xact_lock(7)',
    '03_email': 'alter table patients add column email text',
  });
  const holder = startBoot({ connection: database.url, directory: gated, application: { name: 'notes' } });
  await waitUntilRuns(database, 'pg_advisory_xact_lock(7)');
  const pid = (await sessionsOf(database))[0]?.pid;

  const all = herd.boot({ connection: database.url, migrations: gated });
  await herd.waitForEvent('lock.waiting');
  const inStatements = await database.query(
    `select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
  );
  expect(inStatements).toEqual([{ pid }]); // those who wait for ensure-migrated's lock poll
  await gate.query('select pg_advisory_unlock(7)');
  for (const { status, events } of await all) {
    expect(status).toBe('in-sync');
    const [report] = events.filter(({ event }) => event === 'lock.waiting');
    expect(report).toMatchObject({ holder: { pid, application: 'ensure-migrated/notes', migration: '02_gated.js', step: 2, of: 3 } });
  }
  expect((await holder.waitForEvent('service.ready'))['outcome']).toMatchObject({ status: 'migrated', applied: [{}, {}, {}] });
});

function expectOneApplier(booted: readonly Booted[]): void {
  expect(booted.filter(({ status }) => status === 'failed')).toEqual([]);
  const appliers = booted.filter(({ applied }) => applied!.length > 0);
  expect(appliers.map(({ status }) => status)).toEqual(['migrated']);
  expect(booted.filter(({ status }) => status === 'in-sync')).toHaveLength(booted.length - 1);
}

async function expectEachOnce(database: TestDatabase): Promise<void> {
  const names = ['01_patients', '02_rows', '03_index', '04_email'];
  const ran = await database.query(
    'select name, count(distinct pid)::int as pids from ran group by name having count(*) = 1 order by name',
  );
  expect(ran).toEqual(names.map((name) => ({ name, pids: 1 })));
  const history = await database.query('select name, batch from knex_migrations order by id');
  expect(history).toEqual(names.map((name) => ({ name: `${name}.js`, batch: 1 })));
  expect(await database.query('select count(*)::int as count from patients')).toEqual([{ count: 2000 }]);
}

async function expectSound(database: TestDatabase): Promise<void> {
  expect(await database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
  expect(await database.query('select indexrelid::regclass::text as name from pg_index where not indisvalid')).toEqual([]);
  expect(await database.query(`select indisvalid from pg_index where indexrelid = 'patients_name'::regclass`)).toEqual([
    { indisvalid: true },
  ]);
  expect(await database.query(`select from pg_locks where locktype = 'advisory'`)).toEqual([]);
  const stats = 'select deadlocks::int, current_database() as name from pg_stat_database where datname = current_database()';
  expect(await database.query(stats)).toEqual([{ deadlocks: 0, name: database.name }]);
}
