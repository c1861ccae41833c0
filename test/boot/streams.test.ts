import createKnex, { type Knex } from 'knex';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  backfill,
  createProbe,
  ensureMigrated,
  type MigrationError,
  type Options,
  type Outcome,
  type ProgressEvent,
  type Stream,
} from '../../src/index.js';
import { holdersOf, poll, startBoot } from '../support/boot.js';
import { makeDirectory, type Files } from '../support/directories.js';
import { startHerd } from '../support/herd.js';
import { startProxy } from '../support/proxy.js';
import { failureOf } from '../support/scene.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

// Each migration stands on one that has to be there before it, also of another stream.
const core = {
  '1_users.sql': 'create table users (id int primary key)',
  '2_teams.sql': 'create table teams (log_id int references audit_log)',
};
const audit = { '1_log.sql': 'create table audit_log (id int primary key, user_id int references users)' };
const main = {
  '1_notes.sql': 'create table notes (user_id int references users)',
  '2_tags.sql': 'create table tags (log_id int references audit_log)',
};
const all = ['core 1_users.sql', 'audit 1_log.sql', 'core 2_teams.sql', 'main 1_notes.sql', 'main 2_tags.sql'];

interface Scene {
  readonly database: TestDatabase;
  readonly streams: readonly Stream[];
  readonly directory: string;
  readonly events: readonly ProgressEvent[];
  boot(options?: Options): Promise<Outcome>;
}

async function makeScene(
  files: { readonly core?: Files; readonly audit?: Files; readonly main?: Files } = {},
  on?: TestDatabase,
): Promise<Scene> {
  const [ofCore, ofAudit, directory] = await Promise.all([
    makeDirectory(files.core ?? core),
    makeDirectory(files.audit ?? audit),
    makeDirectory(files.main ?? main),
  ]);
  const database = on ?? (await createDatabase());
  const streams = [
    { name: 'audit', migrations: ofAudit, after: ['core@1_users'] },
    { name: 'core', migrations: ofCore },
  ];
  const events: ProgressEvent[] = [];
  const fixed: Options = {
    connection: database.url,
    migrations: directory,
    streams,
    logger: false,
    onProgress: (event) => void events.push(event),
  };
  return { database, streams, directory, events, boot: async (options) => await ensureMigrated({ ...fixed, ...options }) };
}

/** What the histories have, in the order of the clock. */
async function ranIn(database: TestDatabase): Promise<string[]> {
  const rows = await database.query(
    `select 'core ' || name as name, migration_time from core_migrations union all
     select 'audit ' || name, migration_time from audit_migrations union all
     select 'main ' || name, migration_time from knex_migrations order by migration_time`,
  );
  return rows.map(({ name }) => name as string);
}

async function tablesIn(database: TestDatabase): Promise<string[]> {
  const rows = await database.query(
    "select relname as name from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and relname !~ '_(migrations|lock|journal)$' order by 1",
  );
  return rows.map(({ name }) => name as string);
}

async function expectHealed({ database, boot }: Scene): Promise<void> {
  await boot();
  expect(await ranIn(database)).toEqual(all);
  await expect(boot()).resolves.toMatchObject({ status: 'in-sync', applied: [] });
  expect(await holdersOf(database)).toEqual([]);
}

describe('on an empty database', () => {
  let scene: Scene;
  let outcome: Outcome;
  const probe = createProbe();
  beforeAll(async () => {
    scene = await makeScene();
    outcome = await scene.boot({
      onProgress: (event) => {
        (scene.events as ProgressEvent[]).push(event);
        probe.onProgress(event);
      },
    });
  });

  test('each migration runs once, in the order of `after`, into the history of its stream', async () => {
    expect(await ranIn(scene.database)).toEqual(all);
  });

  test('the outcome tells of each stream; from and to are those of main', () => {
    expect(outcome).toMatchObject({ status: 'migrated', from: undefined, to: '2_tags.sql' });
    expect(outcome.applied.map(({ name }) => name)).toEqual(all.map((each) => each.replace(/^\w+ /, '')));
    expect(outcome.streams?.map(({ name, status, from, to, applied }) => [name, status, from, to, applied.length])).toEqual([
      ['audit', 'migrated', undefined, '1_log.sql', 1],
      ['core', 'migrated', undefined, '2_teams.sql', 2],
      ['main', 'migrated', undefined, '2_tags.sql', 2],
    ]);
    expect(outcome.timings.apply).toBeGreaterThan(0);
  });

  test('events carry the stream, and the boot begins and ends once', () => {
    const told = scene.events
      .filter(({ event }) => event === 'step.applied')
      .map((event) => `${event['stream'] as string} ${event['migration'] as string}`);
    expect(told).toEqual(all);
    expect(scene.events.filter(({ event }) => event.startsWith('boot.')).map(({ event, stream }) => [event, stream])).toEqual([
      ['boot.started', undefined],
      ['boot.ready', undefined],
    ]);
    expect(probe).toMatchObject({ ready: true, status: 'migrated' });
  });

  test.each(['apply', 'wait', 'verify'] as const)(
    'then mode %s takes one connection, a round trip for each stream, and no lock',
    async (mode) => {
      const proxy = await startProxy(scene.database.url);
      await expect(scene.boot({ mode, connection: proxy.urlOf(scene.database.url) })).resolves.toMatchObject({
        status: 'in-sync',
        streams: [{ name: 'audit', status: 'in-sync' }, { name: 'core' }, { name: 'main', to: '2_tags.sql' }],
      });
      expect(proxy.counts()).toMatchObject({ connections: 1, roundTrips: 3, messages: ['Q', 'Q', 'Q', 'X'] });
    },
  );

  test('a stream alone can be behind: the others are not touched', async () => {
    const { database, boot } = await makeScene({ audit: { ...audit, '2_more.sql': 'create table audit_more (id int)' } }, scene.database);
    await expect(boot()).resolves.toMatchObject({ status: 'migrated', applied: [{ name: '2_more.sql' }], to: '2_tags.sql' });
    expect((await ranIn(database)).at(-1)).toBe('audit 2_more.sql');
  });
});

test('what is not an order is refused before anything is connected', async () => {
  const { boot, streams } = await makeScene();
  const wrong = [...streams, { name: 'jobs', migrations: await makeDirectory({ '1.sql': 'select 1' }), after: ['core@1_user', 'core@7'] }];
  const error = await failureOf(boot({ streams: wrong, connection: 'postgres://nobody@127.0.0.1:1/nowhere' }));
  expect(error).toMatchObject({ code: 'EM_CONFIG_INVALID', message: expect.stringContaining('a revision of core; got "7"') as string });
});

test('mode verify names the stream that is behind, and mode wait waits for all of them', async () => {
  const scene = await makeScene();
  const error = await failureOf(scene.boot({ mode: 'verify' }));
  expect(error).toMatchObject({
    code: 'EM_OUT_OF_SYNC',
    message: expect.stringMatching(/not applied: 1_log\.sql[^]*stream: audit/) as string,
  });
  expect(await tablesIn(scene.database)).toEqual([]);
  const seen: ProgressEvent[] = [];
  const waiting = scene.boot({ mode: 'wait', onProgress: (event) => void seen.push(event) });
  while (!seen.some(({ event }) => event === 'lock.waiting')) await new Promise(setImmediate);
  await expect(scene.boot()).resolves.toMatchObject({ status: 'migrated' });
  await expect(waiting).resolves.toMatchObject({ status: 'in-sync', applied: [], to: '2_tags.sql' });
});

test('a stream that fails is named, what ran before it stays and is told, and those after it are not begun', async () => {
  const scene = await makeScene({ audit: { '1_log.sql': 'create table audit_log (id int primary key); select 1 / 0' } });
  const error: MigrationError = await failureOf(scene.boot());
  expect(error).toMatchObject({ code: 'EM_MIGRATION_FAILED', message: expect.stringMatching(/\n {2}stream: audit$/) as string });
  expect(error.outcome).toMatchObject({
    status: 'failed',
    to: undefined,
    applied: [{ name: '1_users.sql' }],
    streams: [{ name: 'core', to: '1_users.sql' }],
  });
  expect(await tablesIn(scene.database)).toEqual(['users']);
  await expectHealed(await makeScene({}, scene.database));
});

test('a stream that the code does not match refuses all of them before anything is changed', async () => {
  const { database, boot } = await makeScene({ main: { '1_notes.sql': main['1_notes.sql'] } });
  await boot();
  const { boot: bootNext } = await makeScene(
    { core: { ...core, '3_more.sql': 'create table more (id int)' }, main: { ...main, '1_notes.sql': 'create table notes (id int)' } },
    database,
  );
  const error = await failureOf(bootNext());
  expect(error).toMatchObject({ code: 'EM_OUT_OF_SYNC', message: expect.stringMatching(/history-edited[^]*stream: main$/) as string });
  expect(await tablesIn(database)).toEqual(['audit_log', 'notes', 'teams', 'users']);
});

test('a package that is older in one service starts beside a newer one where what that has added is compatible, else it is named', async () => {
  const older = await makeScene();
  await older.boot();
  const newer = { ...audit, '2_newer.sql': 'create table newer (id int)' };
  await (await makeScene({ audit: newer }, older.database)).boot();
  await expect(older.boot()).resolves.toMatchObject({
    status: 'ahead',
    to: '2_tags.sql',
    streams: [{ name: 'audit', status: 'ahead' }, { status: 'in-sync' }, { status: 'in-sync' }],
  });
  const newest = { ...newer, '3_newest.sql': '-- breaking: true\ncreate table newest (id int)' };
  await (await makeScene({ audit: newest }, older.database)).boot();
  const error = await failureOf(older.boot());
  expect(error).toMatchObject({
    code: 'EM_OUT_OF_SYNC',
    message: expect.stringMatching(/history-ahead[^]*3_newest\.sql[^]*stream: audit$/) as string,
  });
});

test('a database with tables and no history is adopted first, and is refused whole without a baseline', async () => {
  const scene = await makeScene({ core, audit, main });
  await scene.database.query('create table notes (id int)');
  expect(await failureOf(scene.boot())).toMatchObject({
    code: 'EM_OUT_OF_SYNC',
    message: expect.stringContaining('history-unmanaged') as string,
  });
  expect(await tablesIn(scene.database)).toEqual(['notes']);
  await expect(scene.boot({ baseline: '1_notes' })).resolves.toMatchObject({ status: 'migrated', to: '2_tags.sql' });
  expect(await ranIn(scene.database)).toEqual(['main 1_notes.sql', ...all.filter((each) => each !== 'main 1_notes.sql')]);
});

test('a backup is taken once, before the first change', async () => {
  const scene = await makeScene();
  const backup = { command: 'echo taken' };
  await expect(scene.boot({ backup })).resolves.toMatchObject({ backup: 'taken' });
  expect(scene.events.filter(({ event }) => event === 'backup.taken')).toMatchObject([{ stream: 'core' }]);
});

test('what is no replica refuses the call before any stream is changed', async () => {
  const { database, boot } = await makeScene();
  expect(await failureOf(boot({ replicas: [database.url] }))).toMatchObject({
    code: 'EM_CHECK_FAILED',
    message: expect.stringContaining('not-a-replica') as string,
  });
  expect(await tablesIn(database)).toEqual([]);
});

test('a call that is stopped begins no further stream, and tells what the others have done', async () => {
  const scene = await makeScene();
  const stop = new AbortController();
  const onProgress = ({ event, stream }: ProgressEvent) => {
    if (event === 'step.started' && stream === 'audit') stop.abort();
  };
  const error = await failureOf(scene.boot({ signal: stop.signal, onProgress }));
  expect(error).toMatchObject({ code: 'EM_ABORTED', outcome: { applied: [{ name: '1_users.sql' }] } });
  expect(await tablesIn(scene.database)).toEqual(['users']);
  await expectHealed(scene);
});

test('the hooks and the source of a knex instance are those of main; modules are a stream too', async () => {
  const { database, directory } = await makeScene({ main: { '1_notes.sql': 'create table notes (id int)' } });
  const hooked: unknown[] = [];
  const afterEach = (_knex: unknown, migrations: unknown[]) => void hooked.push(...migrations);
  const knex = createKnex({
    client: 'pg',
    connection: database.url,
    migrations: { directory, tableName: 'app_history', afterEach } as never,
  });
  const modules = { '1_jobs.js': { up: async (trx: Knex) => void (await trx.raw('create table jobs (id int)')) } };
  await expect(ensureMigrated({ knex, logger: false, streams: [{ name: 'jobs', migrations: { modules } }] })).resolves.toMatchObject({
    status: 'migrated',
    streams: [
      { name: 'jobs', to: '1_jobs.js' },
      { name: 'main', to: '1_notes.sql' },
    ],
  });
  expect(hooked).toMatchObject([{ file: '1_notes.sql' }]);
  expect(await database.query('select name from app_history union all select name from jobs_migrations order by 1')).toEqual([
    { name: '1_jobs.js' },
    { name: '1_notes.sql' },
  ]);
  await knex.destroy();
});

test('a stream has backfills of its own, and their events name it', async () => {
  const { database, boot, events } = await makeScene();
  const modules = {
    '1_jobs.js': {
      backfills: { jobs_done: { table: 'jobs', where: 'done is null', set: 'done = true' } },
      up: async (trx: Knex) => {
        await trx.raw('create table jobs (id int primary key, done bool); insert into jobs select generate_series(1, 5)');
        await backfill.enqueue(trx, 'jobs_done');
      },
    },
  };
  await boot({ streams: [{ name: 'jobs', migrations: { modules } }], migrations: { modules: { '1.js': { up: () => undefined } } } });
  await poll(async () => events.find(({ event }) => event === 'backfill.ended'));
  expect(await database.query('select count(*)::int as done from jobs where done')).toEqual([{ done: 5 }]);
  expect(events.filter(({ event }) => event === 'backfill.ended')).toMatchObject([{ stream: 'jobs', backfill: 'jobs_done' }]);
});

test('kill -9 between two segments: the next boot goes on where that one ended', async () => {
  const scene = await makeScene();
  const { database, directory, streams } = scene;
  // The first segment, core up to 1_users, has let go of its lock.
  const killed = startBoot({ connection: database.url, directory, streams, killAt: { event: 'release.ended' } });
  expect(await killed.ended).toMatchObject({ signal: 'SIGKILL' });
  expect(await tablesIn(database)).toEqual(['users']);
  await expectHealed(scene);
});

test('two services and a package on one database, 5 processes each: each migration runs once, in order, and all are ready', async () => {
  const database = await createDatabase();
  const { streams } = await makeScene({}, database);
  const services = await Promise.all(
    ['api', 'worker'].map(async (name) => ({
      herd: await startHerd(5),
      options: {
        connection: database.url,
        streams,
        migrations: {
          directory: await makeDirectory({ [`1_${name}.sql`]: `create table ${name} (team int, log_id int references audit_log)` }),
          tableName: `${name}_history`,
        },
      },
    })),
  );
  const booted = (await Promise.all(services.map(async ({ herd, options }) => await herd.boot(options)))).flat();
  expect(booted.filter(({ status }) => status !== 'migrated' && status !== 'in-sync')).toEqual([]);
  expect(booted).toHaveLength(10);
  const applied = booted.flatMap((each) => each.applied ?? []).map(({ name }) => name);
  expect(applied.sort()).toEqual(['1_api.sql', '1_log.sql', '1_users.sql', '1_worker.sql', '2_teams.sql']);
  const rows = await database.query(
    `select name, count(*) over (partition by name)::int as times from (select name, migration_time from core_migrations union all
     select name, migration_time from audit_migrations union all select name, migration_time from api_history union all
     select name, migration_time from worker_history) as histories order by migration_time`,
  );
  expect(rows.slice(0, 3)).toEqual(['1_users.sql', '1_log.sql', '2_teams.sql'].map((name) => ({ name, times: 1 })));
  expect(rows).toHaveLength(5);
  expect(await holdersOf(database)).toEqual([]);
  await Promise.all(services.map(async ({ herd }) => await herd.stop()));
});
