import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { beforeAll, expect, inject, test } from 'vitest';
import { downgrade, preflight, upgrade } from '../../src/commands/index.js';
import type { Embedded } from '../../src/embedded.js';
import { ensureMigrated, isMigrationError, type MigrationError, type Options, type Outcome, type ProgressEvent } from '../../src/index.js';
import type { Mark } from '../../src/replicas/look.js';
import { judge } from '../../src/replicas/state.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { createDatabase, databaseAt, startServer, startStandby, type TestDatabase, type TestServer } from '../support/servers.js';

// One set of servers: a primary, two standbys, and a cascade behind the second.
let primary: TestServer;
let database: TestDatabase;
let [near, far, cascade]: Embedded[] = [];

beforeAll(async () => {
  primary = await startServer({ settings: { synchronous_commit: true, wal_writer_delay: '10s' } }); // what is not flushed stays so for long
  database = await primary.createDatabase();
  const settings = { max_standby_streaming_delay: -1 }; // a reader is never ended for the replay
  near = await startStandby(primary, { settings });
  far = await startStandby(primary, { settings });
  cascade = await startStandby(far, { settings });
  await boot({ replicas: [] });
}, 60_000);

let columnCount = 0;
/** Where the log of the primary ended after the last migration, before its commit. */
let changedAt: string | undefined;

/** Adds a migration to the code: a column of the table `notes`, which the replay of no standby takes past a reader of it. */
function addMigration(): string {
  return `c${++columnCount}`;
}

function modules(): Record<string, object> {
  type Run = (knex: { raw(sql: string): Promise<{ rows: { lsn: string }[] }> }) => Promise<unknown>;
  const sends =
    (sql: string): Run =>
    async (knex) => {
      await knex.raw(sql);
      changedAt = (await knex.raw('select pg_current_wal_insert_lsn()::text as lsn')).rows[0]?.lsn;
    };
  const columns = Array.from({ length: columnCount }, (_, index) => index + 1);
  const added = columns.map((n) => {
    const [up, down] = [`alter table notes add column c${n} int`, `alter table notes drop column c${n}`].map(sends);
    return [`${String(n + 1).padStart(2, '0')}_c`, { up, down }] as const;
  });
  return { '01_notes': { up: sends('create table notes (id int)'), down: sends('drop table notes') }, ...Object.fromEntries(added) };
}

function optionsOf(options: Options): Options {
  return { connection: database.url, migrations: { modules: modules() }, logger: false, ...options };
}

async function boot(options: Options): Promise<Outcome> {
  return await ensureMigrated(optionsOf(options));
}

const on = (server: Embedded | undefined, name = database.name): TestDatabase =>
  databaseAt((server as Embedded).url.replace(/postgres$/, name));

interface Seen {
  readonly error: MigrationError | undefined;
  readonly outcome: Outcome | undefined;
  /** The states in which the one replica was seen, each with how long after the last commit. */
  readonly waiting: readonly ProgressEvent[];
}

/** Boots, or does what `call` does, with one replica; `onWaiting` hears of each of its states. */
async function bootWith(
  replica: object,
  options: Options = {},
  { call = boot, onWaiting }: { call?: (options: Options) => Promise<Outcome>; onWaiting?: (state: unknown) => unknown } = {},
): Promise<Seen> {
  const waiting: ProgressEvent[] = [];
  const onProgress = (event: ProgressEvent): unknown => {
    if (event.event !== 'replica.waiting') return undefined;
    waiting.push(event);
    return onWaiting?.(event['state']);
  };
  const replicas = [{ timeoutMs: 300, ...replica } as never];
  try {
    return { outcome: await call({ replicas, onProgress, ...options }), error: undefined, waiting };
  } catch (error) {
    if (!isMigrationError(error)) throw error;
    return { outcome: undefined, error, waiting };
  }
}

async function columnsOf(place: TestDatabase): Promise<string[]> {
  const rows = await place.query(`select attname from pg_attribute where attrelid = 'notes'::regclass and attnum > 1 order by attnum`);
  return rows.map(({ attname }) => attname as string);
}

/** Asserts that a state was told within a second of the last commit. */
function expectSoon({ waiting }: Pick<Seen, 'waiting'>, state: string): void {
  expect(waiting.map((event) => event['state'])).toContain(state);
  expect(waiting.find((event) => event['state'] === state)?.['ms']).toBeLessThan(1_000);
}

/** What ALTER SYSTEM sets, in force at once. */
async function configure(server: Embedded | undefined, change: string): Promise<void> {
  const place = on(server, 'postgres');
  await place.query(`alter system ${change}`);
  await place.query('select pg_reload_conf()');
}

/** Takes a standby off its primary. */
async function disconnect(server: Embedded | undefined): Promise<void> {
  await configure(server, `set primary_conninfo = ''`);
  await expect.poll(async () => await on(server, 'postgres').query('select pid from pg_stat_wal_receiver')).toEqual([]);
}

/** Stops the process that replays; a standby has no other sign of it than that nothing moves. */
async function freezeReplay(server: Embedded | undefined): Promise<Disposable> {
  const [row] = await on(server, 'postgres').query(`select pid from pg_stat_activity where backend_type = 'startup'`);
  process.kill(row?.['pid'] as number, 'SIGSTOP');
  return { [Symbol.dispose]: () => process.kill(row?.['pid'] as number, 'SIGCONT') };
}

test('after the call no read on a standby or on the cascade meets the old schema', async () => {
  const places = [near, far, cascade].map((server) => on(server));
  const readers = await Promise.all(places.map(async (place) => await place.connect()));
  for (let round = 0; round < 3; round++) {
    const column = addMigration();
    let returnedAt = Infinity;
    const refusedAt: number[] = [];
    const probes = readers.map(async (reader) => {
      for (let after = 0; after < 5;) {
        const sentAt = performance.now();
        await reader.query(`select ${column} from notes`).catch(() => refusedAt.push(sentAt));
        if (sentAt > returnedAt) after++;
      }
    });
    const outcome = await boot({ replicas: places.map(({ url }) => url) });
    returnedAt = performance.now();
    await Promise.all(probes);
    expect(refusedAt.length).toBeGreaterThan(0); // the probes read before it, too
    expect(refusedAt.filter((at) => at > returnedAt)).toEqual([]);
    expect(outcome.replicas).toMatchObject([1, 2, 3].map((n) => ({ name: `replica-${n}`, state: 'ready' })));
    expect(Object.isFrozen(outcome.replicas?.[0])).toBe(true);
  }
});

test('with nothing pending the history there is looked at, unless the replica is of interest to migrating calls alone', async () => {
  const { url } = on(near);
  expect(await boot({ replicas: [url] })).toMatchObject({ status: 'in-sync', replicas: [{ state: 'ready' }] });
  expect(await boot({ mode: 'verify', replicas: [{ connection: url, when: 'migrated' }] })).toMatchObject({ replicas: [] });
  const { error } = await bootWith({ connection: database.url, policy: 'warn' }); // no policy makes the primary a replica
  expect(error).toMatchObject({ code: 'EM_REPLICA_BEHIND', exitCode: 78, outcome: { replicas: [{ state: 'not-a-replica' }] } });
});

test('a call that waits while another one migrates waits for the replicas too', async () => {
  const place = on(near);
  const column = addMigration();
  const waits = boot({ mode: 'wait', replicas: [{ connection: place.url, when: 'migrated' }] }).then(async (outcome) => ({
    outcome,
    columns: await columnsOf(place),
  }));
  await boot({ replicas: [] });
  const { outcome, columns } = await waits;
  expect(outcome).toMatchObject({ status: 'in-sync', replicas: [{ state: 'ready' }] });
  expect(columns).toContain(column);
});

test('upgrade and downgrade look at the replicas before and after, as a boot does', async () => {
  const place = on(near);
  const column = addMigration();
  const up = { call: async (options: Options) => await upgrade(optionsOf(options)) };
  const down = { call: async (options: Options) => await downgrade(optionsOf(options), { target: { steps: 1 }, yes: true }) };
  for (const verb of [up, down]) {
    const refused = await bootWith({ connection: database.url }, {}, verb);
    expect(refused.error).toMatchObject({ code: 'EM_CHECK_FAILED', findings: [{ code: 'replica-identity' }] });
    const isUp = verb === up;
    expect((await columnsOf(database)).includes(column)).toBe(!isUp);
    await place.query('select pg_wal_replay_pause()');
    const paused = await bootWith({ connection: place.url }, {}, verb);
    expect(paused.error).toMatchObject({ code: 'EM_REPLICA_BEHIND', outcome: { replicas: [{ state: 'paused' }] } });
    expect((await columnsOf(database)).includes(column)).toBe(isUp);
    expect((await columnsOf(place)).includes(column)).toBe(!isUp);
    // A boot of the code that fits finds nothing pending, and does not take what the standby still shows for the schema.
    if (!isUp) columnCount--;
    expect((await bootWith({ connection: place.url })).error).toMatchObject({ outcome: { replicas: [{ state: 'paused' }] } });
    await place.query('select pg_wal_replay_resume()');
    expect(await bootWith({ connection: place.url, timeoutMs: 10_000 }, {}, { call: boot })).toMatchObject({ error: undefined });
    expect((await columnsOf(place)).includes(column)).toBe(isUp);
  }
});

test('a standby that is paused is refused at once, and the primary stays migrated', async () => {
  const place = on(near);
  await place.query('select pg_wal_replay_pause()');
  const column = addMigration();
  const seen = await bootWith({ name: 'near', connection: place.url, timeoutMs: 60_000 });
  const { error } = seen;
  expect(error).toMatchObject({ code: 'EM_REPLICA_BEHIND', retryable: false, outcome: { applied: [{}], replicas: [{ state: 'paused' }] } });
  expect(error?.message).toContain('replica near is paused');
  expectSoon(seen, 'paused');
  expect(error?.outcome?.replicas?.[0]?.ms).toBeLessThan(1_000);
  expect(await columnsOf(database)).toContain(column);
  expect(await columnsOf(place)).not.toContain(column);
  await place.query('select pg_wal_replay_resume()');
  expect(await bootWith({ connection: place.url, timeoutMs: 10_000 })).toMatchObject({ outcome: { replicas: [{ state: 'ready' }] } });
});

test('a reader that blocks the replay is named with its pid and query; the cascade behind it is not held up', async () => {
  const reader = await on(far).connect();
  const { rows } = await reader.query<{ pid: number }>('select pg_backend_pid() as pid');
  await reader.query('begin');
  await reader.query(`select id from notes where 'secret' <> ''`);
  addMigration();
  const seen = await bootWith({ connection: on(far).url });
  expect(seen.error).toMatchObject({ code: 'EM_REPLICA_BEHIND', retryable: true, findings: [{ code: 'replica-behind', level: 'error' }] });
  expectSoon(seen, 'replay-blocked');
  expect(seen.error?.message).toMatch(new RegExp(`the reader with pid ${rows[0]?.pid}: select id from notes`));
  expect(seen.error?.message).not.toContain('secret');
  expect(await bootWith({ connection: on(cascade).url, timeoutMs: 5_000 })).toMatchObject({ outcome: { replicas: [{ state: 'ready' }] } });
  await reader.query('rollback');
});

test('a reader whose snapshot blocks the replay, and holds no table of the migration, is named too', async () => {
  await database.query('insert into notes select generate_series(1, 100)');
  const reader = await on(far).connect();
  expect(await bootWith({ connection: on(far).url, timeoutMs: 5_000 })).toMatchObject({ error: undefined });
  await reader.query('begin isolation level repeatable read');
  const { rows } = await reader.query<{ pid: number }>('select pg_backend_pid() as pid');
  await database.query('delete from notes');
  await database.query('vacuum notes');
  addMigration();
  const seen = await bootWith({ connection: on(far).url });
  expectSoon(seen, 'replay-blocked');
  expect(seen.error?.message).toContain(`the reader with pid ${rows[0]?.pid}`);
  await reader.query('rollback');
});

test('a standby that has received all and replays nothing is behind; the mark is past the migration whatever the role says of commits', async () => {
  const place = on(near);
  expect(await bootWith({ connection: place.url, timeoutMs: 5_000 })).toMatchObject({ error: undefined });
  await database.query(`alter role postgres in database ${database.name} set synchronous_commit = off`);
  {
    using _frozen = await freezeReplay(near);
    addMigration();
    const stop = new AbortController();
    const seen = await bootWith(
      { connection: place.url, timeoutMs: 60_000 },
      { signal: stop.signal },
      { onWaiting: (state) => state === 'behind' && stop.abort() },
    );
    expectSoon(seen, 'behind');
    const mark = /of (\S+)$/.exec(seen.waiting.at(-1)?.['detail'] as string)?.[1];
    const [row] = await database.query('select $1::pg_lsn > $2::pg_lsn as "isPast"', [mark, changedAt]);
    expect(row).toEqual({ isPast: true });
    // Told to stop, it says what it had done.
    expect(seen.error).toMatchObject({ code: 'EM_ABORTED', outcome: { status: 'failed', applied: [{}] } });
    expect(await columnsOf(database)).toContain(`c${columnCount}`);
    // The whole call has a patience, too.
    const impatient = await bootWith({ connection: place.url, policy: 'warn', timeoutMs: 60_000 }, { timeouts: { callMs: 200 } });
    expect(impatient.outcome).toMatchObject({ status: 'in-sync', replicas: [{ state: 'behind' }], findings: [{ level: 'warn' }] });
  }
  await database.query(`alter role postgres in database ${database.name} reset synchronous_commit`);
});

test('a standby with a delay is told apart while it is waited for; one whose delay is longer than the call may wait, at once', async () => {
  await configure(near, `set recovery_min_apply_delay = '1h'`);
  addMigration();
  const late = await bootWith({ connection: on(near).url, policy: 'warn' });
  expect(late.outcome).toMatchObject({ replicas: [{ state: 'delayed' }], findings: [{ code: 'replica-behind', level: 'warn' }] });
  expect(late.outcome?.replicas?.[0]?.ms).toBeLessThan(1_000);
  await configure(near, `set recovery_min_apply_delay = '3s'`);
  const column = addMigration();
  const seen = await bootWith({ connection: on(near).url });
  expect(seen.outcome).toMatchObject({ status: 'migrated', replicas: [{ state: 'ready' }], findings: [] });
  expectSoon(seen, 'delayed');
  expect(await columnsOf(on(near))).toContain(column);
  await configure(near, 'reset recovery_min_apply_delay');
});

test('a role that may not read the history there is told so at once, with the grant; an ordinary role is enough', async () => {
  const role = await database.createRole();
  const connection = on(near).roleUrl(role.name, role.password);
  await boot({ replicas: [on(near).url] });
  const { error } = await bootWith({ connection, timeoutMs: 60_000 });
  expect(error).toMatchObject({ code: 'EM_REPLICA_BEHIND', exitCode: 78, outcome: { replicas: [{ state: 'unreadable' }] } });
  expect(error?.outcome?.replicas?.[0]?.ms).toBeLessThan(1_000);
  expect(error?.message).toMatch(/permission denied for table knex_migrations\s+On the primary, grant/);
  await database.query(`grant select on knex_migrations to ${role.name}`);
  addMigration();
  expect(await bootWith({ connection, timeoutMs: 5_000 })).toMatchObject({
    outcome: { status: 'migrated', replicas: [{ state: 'ready' }] },
  });
  const reader = await on(near).connect();
  await reader.query('begin');
  await reader.query('select id from notes');
  const { rows } = await reader.query<{ pid: number }>('select pg_backend_pid() as pid');
  addMigration();
  const blocked = await bootWith({ connection });
  expect(blocked.error?.message).toMatch(new RegExp(`the reader with pid ${rows[0]?.pid}$`, 'm')); // another role's query is not for it
  await reader.query('rollback');
});

test('who does not let us in is told at once, who does not answer after two seconds, and neither holds up what is told of the others', async () => {
  await boot({ replicas: [on(near).url] });
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const closed = createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const [silentPort, closedPort] = [silent, closed].map((server) => (server.address() as AddressInfo).port);
  await new Promise((resolve) => closed.close(resolve));
  const replicas = Object.entries({
    near: on(near).url,
    password: on(near).roleUrl('postgres', 'geheim'),
    tls: { connectionString: on(near).url, ssl: true },
    function: () => Promise.reject(new Error('postgres://u:geheim@vault is sealed')),
    closed: `postgres://u:geheim@localhost:${closedPort}/d`,
    silent: `postgres://u:geheim@127.0.0.1:${silentPort}/d`,
  }).map(([name, connection]) => ({ name, connection, policy: 'warn' as const }));
  const told: ProgressEvent[] = [];
  const outcome = await boot({ replicas, onProgress: (event) => void told.push(event) });
  silent.close();
  expect(outcome.replicas?.map(({ name, state, ms }) => [name, state, ms < 1_000])).toEqual([
    ['near', 'ready', true],
    ['password', 'rejected', true],
    ['tls', 'rejected', true],
    ['function', 'rejected', true],
    ['closed', 'unreachable', true],
    ['silent', 'unreachable', false],
  ]);
  expect(outcome.findings.map(({ code, level }) => `${code} ${level}`)).toEqual(Array(5).fill('replica-behind warn'));
  expect(outcome.findings[3]?.message).toMatch(/closed is unreachable after \d+ ms: .*ECONNREFUSED/);
  expect(JSON.stringify([outcome, told])).not.toContain('geheim');
  for (const [name, exitCode] of [
    ['password', 78],
    ['closed', 75],
  ] as const) {
    const connection = replicas.find((each) => each.name === name)?.connection;
    expect((await bootWith({ connection, timeoutMs: 60_000 })).error).toMatchObject({ code: 'EM_REPLICA_BEHIND', exitCode });
    addMigration();
    expect((await bootWith({ connection })).error).toMatchObject({ code: 'EM_CHECK_FAILED', exitCode, retryable: exitCode === 75 });
    expect(await columnsOf(database)).not.toContain(`c${columnCount--}`);
  }
});

test('twenty replicas are looked at side by side, and no connection is left', async () => {
  addMigration();
  const outcome = await boot({ replicas: Array.from({ length: 20 }, () => on(near).url) });
  expect(outcome.replicas?.map(({ state }) => state)).toEqual(Array(20).fill('ready'));
  const left = `select pid from pg_stat_activity where application_name like '%/replica'`;
  await expect.poll(async () => await on(near).query(left)).toEqual([]);
});

describeWithPgBouncer('behind PgBouncer', () => {
  test('a replica is recognised and waited for', async () => {
    const bouncer = await startPgBouncer((near as Embedded).url);
    const column = addMigration();
    const { outcome } = await bootWith({ connection: bouncer.urlOf(on(near).url), timeoutMs: 5_000 });
    expect(outcome).toMatchObject({ status: 'migrated', replicas: [{ state: 'ready' }] });
    expect(await columnsOf(on(near))).toContain(column);
  });
});

test('a standby that receives nothing is a finding with the policy warn; one that dies while it is waited for may come back', async () => {
  await disconnect(near);
  addMigration();
  const seen = await bootWith({ connection: on(near).url, policy: 'warn' });
  expect(seen.outcome).toMatchObject({ replicas: [{ state: 'not-received' }], findings: [{ code: 'replica-behind', level: 'warn' }] });
  expectSoon(seen, 'not-received');
  addMigration();
  let stopping: Promise<void> | undefined;
  const onWaiting = async (state: unknown) => {
    if (state === 'not-received') stopping = near?.stop('immediate');
    if (state !== 'unreachable') return;
    await stopping;
    await near?.start();
    await configure(near, 'reset primary_conninfo');
  };
  const { outcome, waiting } = await bootWith({ connection: on(near).url, timeoutMs: 20_000 }, {}, { onWaiting });
  expect(waiting.slice(0, 2).map(({ state }) => state)).toEqual(['not-received', 'unreachable']);
  expect(outcome).toMatchObject({ status: 'migrated', replicas: [{ state: 'ready' }] });
  expect(await columnsOf(on(near))).toContain(`c${columnCount}`);
});

test('what is no standby of the primary is refused by name before the first change, whatever its policy', async () => {
  const refused = async (connection: string, what: RegExp, options?: Options) => {
    const { error } = await bootWith({ connection, policy: 'warn' }, options);
    expect(error).toMatchObject({ code: 'EM_CHECK_FAILED', retryable: false, findings: [{ code: 'replica-identity', level: 'error' }] });
    expect(error?.message).toMatch(what);
    expect(await columnsOf(database)).not.toContain(`c${columnCount}`);
  };
  addMigration();
  await refused(inject('serverUrl'), /is other-cluster: it belongs to the cluster \d+/);
  await refused(database.url, /is not-a-replica: it is the primary itself/);
  const foreseen = await preflight(optionsOf({ replicas: [database.url] }));
  expect(foreseen.ok).toBe(false);
  expect(foreseen.findings.map(({ code }) => code)).toContain('replica-identity');
  const verified = await bootWith({ connection: database.url }, { mode: 'verify' });
  expect(verified.error?.code).toBe('EM_OUT_OF_SYNC'); // it was asked nothing else
  const otherName = database.url.replace('127.0.0.1', 'localhost');
  await refused(`${otherName}?options=-c%20TimeZone%3DAsia/Tokyo`, /is not-a-replica: it is the primary itself/);
  await refused(on(near, 'postgres').url, /is other-cluster: it is the database "postgres" instead of/);
  const subscriber = await createDatabase();
  await subscriber.query(`create subscription ${subscriber.name} connection 'host=nowhere' publication p with (connect = false)`);
  await refused(subscriber.url, /is logical: .*[^]*additive changes on the subscriber first/);
  await subscriber.query(`alter subscription ${subscriber.name} set (slot_name = none)`);
  await subscriber.query(`drop subscription ${subscriber.name}`);
  await refused(on(cascade).url, /`connection` is a standby itself/, { connection: on(far).url });
});

test('a standby that is promoted while it is waited for is no replica any more, nor is what follows it', async () => {
  await disconnect(far);
  const onWaiting = async (state: unknown) => state === 'not-received' && (await on(far).query('select pg_promote()'));
  const { error } = await bootWith({ connection: on(far).url, policy: 'warn', timeoutMs: 20_000 }, {}, { onWaiting });
  expect(error).toMatchObject({ code: 'EM_REPLICA_BEHIND', exitCode: 78, outcome: { replicas: [{ state: 'not-a-replica' }] } });
  expect(error?.message).toMatch(/promoted/);
  const column = addMigration();
  const refused = await bootWith({ connection: on(far).url, policy: 'warn' });
  expect(refused.error).toMatchObject({ code: 'EM_CHECK_FAILED', findings: [{ code: 'replica-identity', level: 'error' }] });
  const follows = 'select received_tli as timeline from pg_stat_wal_receiver';
  await expect.poll(async () => await on(cascade).query(follows), { timeout: 5_000 }).toEqual([{ timeline: 2 }]);
  const behindIt = await bootWith({ connection: on(cascade).url, policy: 'warn' });
  expect(behindIt.error?.message).toMatch(/is other-cluster: it follows a server that was promoted \(timeline 2/);
  expect(await columnsOf(database)).not.toContain(column);
});

const ours = { identifier: '7', database: 'd', startedAt: '1', timeline: 1 };
const mark: Mark = { ...ours, inRecovery: false, lsn: '0/20', applied: ['a', 'b'] };
const replica = { ...ours, inRecovery: true, subscriptionCount: 0, pauseState: 'not paused', delayMs: 0, reader: null, denied: undefined };
const arrived = { received: true, replayed: true, replayLsn: '0/20' };
const onItsWay = { received: true, replayed: false, replayLsn: '0/10' };
const untold = { received: null, replayed: null, replayLsn: null }; // on shared storage

test.each([
  ['has the rows, not the position', 'replay', 'behind', { ...onItsWay, applied: ['a', 'b'] }],
  ['has the rows, not the position', 'content', 'ready', { ...onItsWay, applied: ['a', 'b'] }],
  ['still has a row that was taken back', 'content', 'behind', { ...onItsWay, applied: ['a', 'b', 'c'] }],
  ['has a row that came since', 'content', 'ready', { ...arrived, applied: ['a', 'b', 'c'] }],
  ['tells no position and lacks a row', 'replay', 'behind', { ...untold, applied: ['a'] }],
  ['tells no position and has the rows', 'replay', 'ready', { ...untold, applied: ['a', 'b'] }],
  ['does not show the history yet', 'content', 'behind', { ...onItsWay, applied: undefined, denied: 'no' }],
  ['does not show the history', 'content', 'unreadable', { ...arrived, applied: undefined, denied: 'no' }],
] as const)('a replica that %s is, by its %s, %s', (_what, proof, state, seen) => {
  expect(judge({ ...replica, ...seen }, mark, proof).state).toBe(state);
});

test('options of replicas that are not valid are all named, without their passwords', async () => {
  const replicas = [{ connection: database.url, policy: 'maybe' }, { name: 'a', connection: 'mysql://u:geheim@h/d' }, 7] as never;
  const { error } = await boot({ replicas }).then(
    () => ({ error: undefined }),
    (error: unknown) => ({ error: error as MigrationError }),
  );
  expect(error?.code).toBe('EM_CONFIG_INVALID');
  expect(error?.message).toMatch(/replicas\.0\.policy: .*\n.*replicas\.1\.connection: .*\n.*replicas\.2: /);
  expect(error?.message).not.toContain('geheim');
});
