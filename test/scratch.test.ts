import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { startCall } from '../src/call.js';
import { resolveConfig, type Options } from '../src/config/index.js';
import { openScratch, withScratch, type Scratch } from '../src/scratch.js';
import { openSession } from '../src/session/index.js';
import { poll, waitUntilRuns } from './support/boot.js';
import { root } from './support/majors.js';
import { describeWithPgBouncer, startPgBouncer } from './support/pgbouncer.js';
import { startCode } from './support/process.js';
import { createDatabase, startServer, type TestDatabase } from './support/servers.js';

/** Works with a scratch database beside this one. */
async function inScratch<T>(url: string, work: (scratch: Scratch) => Promise<T>, options: Options = {}): Promise<T> {
  using call = startCall(resolveConfig({ connection: url, logger: false, migrations: root, ...options }));
  await using session = await openSession(call);
  return await withScratch({ call, session }, work);
}

async function ask(scratch: Scratch, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(await scratch.connection());
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** The scratch databases that were made from this one. */
async function scratchesOf(database: TestDatabase): Promise<string[]> {
  const rows = await database.query(
    `select datname from pg_database where datname like 'em\\_s\\_' || (select oid from pg_database where datname = current_database()) || '\\_%'`,
  );
  return rows.map(({ datname }) => datname as string);
}

/** A process that makes a scratch database, tells its name and keeps it. */
async function startUser(url: string): Promise<{ readonly name: string; kill(): Promise<unknown> }> {
  const script = startCode(
    `const { startCall } = await import(${JSON.stringify(`${root}/dist/call.js`)});
     const { resolveConfig } = await import(${JSON.stringify(`${root}/dist/config/index.js`)});
     const { openSession } = await import(${JSON.stringify(`${root}/dist/session/index.js`)});
     const { openScratch } = await import(${JSON.stringify(`${root}/dist/scratch.js`)});
     const call = startCall(resolveConfig({ connection: process.env.URL, migrations: '.', logger: false }));
     const { name } = await openScratch({ call, session: await openSession(call) });
     console.log(JSON.stringify({ event: 'made', name }));
     setInterval(() => undefined, 1_000);`,
    { env: { URL: url } },
  );
  const { name } = await script.waitForEvent('made');
  return { name: name as string, kill: async () => await script.kill() };
}

describe('a scratch database', () => {
  test('is empty, on the same server, and like the one beside which it was made; afterwards it is gone', async () => {
    const database = await createDatabase();
    await database.query(`create table patients (id int); alter database ${database.name} set search_path to app, public`);
    await database.query(`alter database ${database.name} set app.tenant = 'a''b'`);
    const like = `select pg_encoding_to_char(encoding) as encoding, datcollate, datctype, to_jsonb(d) ->> 'datlocprovider' as provider,
      current_setting('search_path') as path, current_setting('app.tenant') as tenant from pg_database d where datname = current_database()`;
    const seen = await inScratch(database.url, async (scratch) => {
      expect(await scratchesOf(database)).toEqual([scratch.name]);
      expect(await ask(scratch, 'select current_database() as name')).toEqual([{ name: scratch.name }]);
      expect(await ask(scratch, `select relname from pg_class where relnamespace = 'public'::regnamespace`)).toEqual([]);
      return await ask(scratch, like);
    });
    expect(seen).toEqual(await database.query(like));
    expect(await scratchesOf(database)).toEqual([]);
  });

  test('has the locale of an ICU database too', async () => {
    const server = await startServer();
    const { url } = await server.createDatabase();
    const icu = await server.createDatabase();
    const client = new pg.Client(url);
    await client.connect();
    await client.query(`drop database ${icu.name}`);
    await client.query(
      `create database ${icu.name} template template0 locale_provider icu icu_locale 'de' encoding 'UTF8' lc_collate 'C' lc_ctype 'C'`,
    );
    await client.end();
    const like = `select datlocprovider, to_jsonb(d) ->> 'datlocale' as locale, datcollate, datctype from pg_database d where datname = current_database()`;
    expect(await inScratch(icu.url, async (scratch) => await ask(scratch, like))).toEqual(await icu.query(like));
  });

  test('is dropped when the work throws, and the error is the one of the work', async () => {
    const database = await createDatabase();
    const work = inScratch(database.url, async (scratch) => {
      await ask(scratch, 'create table t ()');
      throw new Error('of the work');
    });
    await expect(work).rejects.toThrow('of the work');
    expect(await scratchesOf(database)).toEqual([]);
  });

  test('is dropped under a connection that is at work in it', async () => {
    const database = await createDatabase();
    await inScratch(database.url, async (scratch) => {
      const client = new pg.Client(await scratch.connection());
      client.on('error', () => undefined);
      await client.connect();
      client.query('select pg_sleep(300)').catch(() => undefined);
    });
    expect(await scratchesOf(database)).toEqual([]);
  });

  test('is dropped when the call is told to stop', async () => {
    const database = await createDatabase();
    const stop = new AbortController();
    using call = startCall(resolveConfig({ connection: database.url, logger: false, migrations: root, signal: stop.signal }));
    await using session = await openSession(call);
    const work = withScratch({ call, session }, async () => {
      const sleeping = session.query('select pg_sleep(300)');
      await waitUntilRuns(database, 'pg_sleep');
      stop.abort();
      await sleeping;
    });
    await expect(work).rejects.toMatchObject({ code: 'EM_ABORTED' });
    expect(await scratchesOf(database)).toEqual([]);
  });

  test('belongs to the role that the connections take', async () => {
    const database = await createDatabase();
    const [maker, app] = [await database.createRole('createdb'), await database.createRole()];
    await database.query(`grant ${app.name} to ${maker.name}`);
    const { default: createKnex } = await import('knex');
    const afterCreate = (connection: pg.Client, done: (error?: Error) => void) => void connection.query(`set role ${app.name}`, done);
    const knex = createKnex({ client: 'pg', connection: maker.url, pool: { afterCreate } });
    using call = startCall(resolveConfig({ knex, logger: false, migrations: root }));
    await using session = await openSession(call);
    await withScratch({ call, session }, async (scratch) => {
      expect(await ask(scratch, 'select datdba::regrole::text as owner from pg_database where datname = current_database()')).toEqual([
        { owner: app.name },
      ]);
    });
    await knex.destroy();
    expect(await scratchesOf(database)).toEqual([]);
  });

  test('cannot be made without CREATEDB: the error has the grant, and nothing is made', async () => {
    const database = await createDatabase();
    const role = await database.createRole();
    const error = {
      code: 'EM_SCRATCH_UNAVAILABLE',
      exitCode: 78,
      remedy: expect.stringContaining(`alter role "${role.name}" createdb;`) as string,
    };
    await expect(inScratch(role.url, () => Promise.resolve())).rejects.toMatchObject(error);
    expect(await scratchesOf(database)).toEqual([]);
    await database.query(`alter role ${role.name} createdb`);
    await inScratch(role.url, async (scratch) => await ask(scratch, 'create table t ()'));
    expect(await scratchesOf(database)).toEqual([]);
  });
});

describe('what a killed process leaves behind', () => {
  test('is dropped by the next one, which leaves alone what is in use, and what is of another database', async () => {
    const [database, other] = [await createDatabase(), await createDatabase()];
    const [dead, living, elsewhere] = [await startUser(database.url), await startUser(database.url), await startUser(other.url)];
    expect((await scratchesOf(database)).sort()).toEqual([dead.name, living.name].sort());
    await dead.kill();
    await elsewhere.kill();
    await poll(async () => {
      await inScratch(database.url, () => Promise.resolve()); // the server may need a moment to see that the process is gone
      return (await scratchesOf(database)).includes(dead.name) ? undefined : true;
    });
    expect(await scratchesOf(database)).toEqual([living.name]);
    expect(await scratchesOf(other)).toEqual([elsewhere.name]);
    await living.kill();
  });

  test('is dropped when the process died before it could say what the database is', async () => {
    const database = await createDatabase();
    const [row] = await database.query(`select oid from pg_database where datname = current_database()`);
    const names = ['0123456789ab_000001', '0123456789ab_000002', 'of_somebody'].map((rest) => `em_s_${String(row?.['oid'])}_${rest}`);
    await database.query(`create database ${names[0] ?? ''} allow_connections false`);
    await database.query(`create database ${names[1] ?? ''}`); // somebody may have put something into it
    await database.query(`create database ${names[2] ?? ''} allow_connections false`);
    await inScratch(database.url, () => Promise.resolve());
    expect((await scratchesOf(database)).sort()).toEqual([names[1], names[2]].sort());
    for (const name of names.slice(1)) await database.query(`drop database ${name}`);
  });

  test('is dropped once by many who find it at the same time', async () => {
    const database = await createDatabase();
    const dead = await Promise.all([startUser(database.url), startUser(database.url), startUser(database.url)]);
    await Promise.all(dead.map(async ({ kill }) => await kill()));
    await poll(async () => ((await database.query(`select from pg_locks where classid = 1701671779`)).length === 0 ? true : undefined));
    await Promise.all(Array.from({ length: 4 }, async () => await inScratch(database.url, async () => await sleep(10))));
    expect(await scratchesOf(database)).toEqual([]);
  });
});

describeWithPgBouncer('behind a pooler', () => {
  test('a scratch database is refused without a way around it, and is made with one', async () => {
    const database = await createDatabase();
    const pgbouncer = await startPgBouncer(database.url);
    const pooled = pgbouncer.urlOf(database.url);
    await expect(inScratch(pooled, () => Promise.resolve())).rejects.toMatchObject({
      code: 'EM_SCRATCH_UNAVAILABLE',
      remedy: expect.stringContaining('directConnection') as string,
    });
    expect(await scratchesOf(database)).toEqual([]);
    const direct = { directConnection: database.url };
    expect(await inScratch(pooled, async (scratch) => await ask(scratch, 'select 1 as one'), direct)).toEqual([{ one: 1 }]);
    expect(await scratchesOf(database)).toEqual([]);
  });
});

test('a scratch that is left open is dropped by its dispose, once', async () => {
  const database = await createDatabase();
  using call = startCall(resolveConfig({ connection: database.url, logger: false, migrations: root }));
  await using session = await openSession(call);
  const scratch = await openScratch({ call, session });
  expect(await scratchesOf(database)).toEqual([scratch.name]);
  await scratch[Symbol.asyncDispose]();
  expect(await scratchesOf(database)).toEqual([]);
});
