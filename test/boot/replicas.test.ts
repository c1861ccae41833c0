import { beforeAll, expect, inject, test } from 'vitest';
import type { Embedded } from '../../src/embedded.js';
import { ensureMigrated, isMigrationError, type MigrationError, type Options, type Outcome, type ProgressEvent } from '../../src/index.js';
import { createDatabase, databaseAt, startServer, startStandby, type TestDatabase, type TestServer } from '../support/servers.js';

// One set of servers: a primary, two standbys, and a cascade behind the second.
let primary: TestServer;
let database: TestDatabase;
let [near, far, cascade]: Embedded[] = [];

beforeAll(async () => {
  primary = await startServer();
  database = await primary.createDatabase();
  const settings = { max_standby_streaming_delay: -1 }; // a reader is never ended for the replay
  near = await startStandby(primary, { settings });
  far = await startStandby(primary, { settings });
  cascade = await startStandby(far, { settings });
  await boot({ replicas: [] });
}, 60_000);

let columnCount = 0;

/** Adds a migration to the code: a column of the table `notes`, which the replay of no standby takes past a reader of it. */
function addMigration(): string {
  return `c${++columnCount}`;
}

function modules(): Record<string, object> {
  const up = (sql: string) => ({ up: async (knex: { raw(sql: string): Promise<unknown> }) => await knex.raw(sql), down: () => undefined });
  const columns = Array.from({ length: columnCount }, (_, index) => index + 1);
  const added = columns.map((n) => [`${String(n + 1).padStart(2, '0')}_c`, up(`alter table notes add column c${n} int`)] as const);
  return { '01_notes': up('create table notes (id int)'), ...Object.fromEntries(added) };
}

async function boot(options: Options): Promise<Outcome> {
  return await ensureMigrated({ connection: database.url, migrations: { modules: modules() } as never, logger: false, ...options });
}

const on = (server: Embedded | undefined, name = database.name): TestDatabase =>
  databaseAt((server as Embedded).url.replace(/postgres$/, name));

interface Seen {
  readonly error: MigrationError | undefined;
  readonly outcome: Outcome | undefined;
  /** The states in which the one replica was seen, each with how long after the last commit. */
  readonly waiting: readonly ProgressEvent[];
}

/** Boots with one replica. */
async function bootWith(replica: object, options: Options = {}): Promise<Seen> {
  const waiting: ProgressEvent[] = [];
  const onProgress = (event: ProgressEvent) => event.event === 'replica.waiting' && waiting.push(event);
  const replicas = [{ timeoutMs: 300, ...replica } as never];
  try {
    return { outcome: await boot({ replicas, onProgress, ...options }), error: undefined, waiting };
  } catch (error) {
    if (!isMigrationError(error)) throw error;
    return { outcome: undefined, error, waiting };
  }
}

async function columnsOf(place: TestDatabase): Promise<string[]> {
  const rows = await place.query(`select attname from pg_attribute where attrelid = 'notes'::regclass and attnum > 1 order by attnum`);
  return rows.map(({ attname }) => attname as string);
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

test('a standby that is paused is refused at once, and the primary stays migrated', async () => {
  const place = on(near);
  await place.query('select pg_wal_replay_pause()');
  const column = addMigration();
  const started = performance.now();
  const { error } = await bootWith({ name: 'near', connection: place.url, timeoutMs: 60_000 });
  expect(error).toMatchObject({ code: 'EM_REPLICA_BEHIND', retryable: false, outcome: { applied: [{}], replicas: [{ state: 'paused' }] } });
  expect(error?.message).toContain('replica near is paused');
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(error?.outcome?.replicas?.[0]?.ms).toBeLessThan(1_000);
  expect(await columnsOf(database)).toContain(column);
  expect(await columnsOf(place)).not.toContain(column);
  await place.query('select pg_wal_replay_resume()');
  expect(await bootWith({ connection: place.url, timeoutMs: 10_000 })).toMatchObject({ outcome: { replicas: [{ state: 'ready' }] } });
});

test('a reader that blocks the replay is named with its pid and query; the cascade behind it is not held up', async () => {
  const reader = await on(far).connect();
  await reader.query('begin');
  await reader.query(`select id from notes where 'secret' <> ''`);
  const { rows } = await reader.query<{ pid: number }>('select pg_backend_pid() as pid');
  addMigration();
  const { error, waiting } = await bootWith({ connection: on(far).url, timeoutMs: 1_000 });
  expect(error).toMatchObject({ code: 'EM_REPLICA_BEHIND', retryable: true, findings: [{ code: 'replica-behind', level: 'error' }] });
  expect(waiting.at(-1)).toMatchObject({ state: 'replay-blocked' });
  expect(waiting.at(-1)?.['ms']).toBeLessThan(1_000);
  expect(error?.message).toContain(`the reader with pid ${rows[0]?.pid}`);
  expect(error?.message).not.toContain('secret');
  expect(await bootWith({ connection: on(cascade).url, timeoutMs: 5_000 })).toMatchObject({ outcome: { replicas: [{ state: 'ready' }] } });
  await reader.query('rollback');
});

test('a standby with a delay is told apart while it is waited for; with the policy warn what it lacks is a finding', async () => {
  const server = on(near, 'postgres');
  await server.query(`alter system set recovery_min_apply_delay = '3s'`);
  await server.query('select pg_reload_conf()');
  const column = addMigration();
  const { outcome, waiting } = await bootWith({ connection: on(near).url });
  expect(outcome).toMatchObject({ status: 'migrated', replicas: [{ state: 'ready' }], findings: [] });
  expect(waiting.find(({ state }) => state === 'delayed')?.['ms']).toBeLessThan(1_000);
  expect(await columnsOf(on(near))).toContain(column);
  await server.query(`alter system set recovery_min_apply_delay = 0`);
  await server.query('select pg_reload_conf()');
});

test('a standby that receives nothing, and one that is gone, are findings with the policy warn', async () => {
  const server = on(near, 'postgres');
  await server.query(`alter system set primary_conninfo = ''`);
  await server.query('select pg_reload_conf()');
  await expect.poll(async () => await server.query('select pid from pg_stat_wal_receiver')).toEqual([]);
  addMigration();
  const { outcome } = await bootWith({ connection: on(near).url, policy: 'warn' });
  expect(outcome).toMatchObject({ replicas: [{ state: 'not-received' }], findings: [{ code: 'replica-behind', level: 'warn' }] });
  await (near as Embedded).stop('immediate');
  addMigration();
  expect(await bootWith({ connection: on(near).url, policy: 'warn' })).toMatchObject({
    outcome: { status: 'migrated', replicas: [{ state: 'unreachable' }] },
  });
  addMigration();
  expect(await bootWith({ connection: on(near).url })).toMatchObject({
    error: { code: 'EM_CHECK_FAILED', findings: [{ code: 'replica-identity', message: expect.stringContaining('unreachable') as string }] },
  });
  expect(await columnsOf(database)).not.toContain(`c${columnCount}`);
});

test('what is no standby of the primary is refused by name before the first change, whatever its policy', async () => {
  const refused = async (connection: string, what: RegExp, options?: Options) => {
    const { error } = await bootWith({ connection, policy: 'warn' }, options);
    expect(error).toMatchObject({ code: 'EM_CHECK_FAILED', findings: [{ code: 'replica-identity', level: 'error' }] });
    expect(error?.message).toMatch(what);
    expect(await columnsOf(database)).not.toContain(`c${columnCount}`);
  };
  addMigration();
  await refused(inject('serverUrl'), /is other-cluster: it belongs to the cluster \d+/);
  await refused(database.url, /is not-a-replica: it is the primary itself/);
  const subscriber = await createDatabase();
  await subscriber.query(`create subscription ${subscriber.name} connection 'host=nowhere' publication p with (connect = false)`);
  await refused(subscriber.url, /is logical: .*[^]*additive changes on the subscriber first/);
  await subscriber.query(`alter subscription ${subscriber.name} set (slot_name = none)`);
  await subscriber.query(`drop subscription ${subscriber.name}`);
  await refused(on(cascade).url, /`connection` is a standby itself/, { connection: on(far).url });
  await on(far).query('select pg_promote()');
  await refused(on(far).url, /is not-a-replica: .* promoted/);
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
