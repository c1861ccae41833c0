import { describe, expect, test } from 'vitest';
import { blockersOlderThan } from '../../src/checks/blockers.js';
import { answer } from '../../src/checks/check.js';
import { runChecks } from '../../src/checks/index.js';
import { askedOf, builtInChecks } from '../../src/checks/run.js';
import type { RulesInput } from '../../src/config/index.js';
import type { Finding } from '../../src/finding.js';
import { createDatabase } from '../support/servers.js';
import { findingsOf, only, withInput } from './fixture.js';

describe('blockers', () => {
  // The age is what the check is told: waiting for a minute proves nothing more.
  const find = async (url: string, seconds = 0, rules: RulesInput = {}): Promise<readonly Finding[]> =>
    await withInput(url, { rules }, async (input) => withoutAges(await answer(blockersOlderThan(seconds), askedOf(input))));
  const withoutAges = (findings: readonly Finding[]) =>
    findings.map((finding) => ({ ...finding, message: finding.message.replace(/for \d+ s;/, 'for N s;') }));

  test('warns of a session with an old transaction: pid, application, role, state, and how to end it', async () => {
    const database = await createDatabase();
    const client = await database.connect();
    await client.query('begin');
    const [{ pid }] = (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows as [{ pid: number }];
    expect(await find(database.url)).toEqual([
      {
        code: 'blockers',
        level: 'warn',
        message: `pid ${pid} (test, "postgres", idle in transaction) has had a transaction open for N s; a migration waits for the locks that it holds`,
        remedy: `Let it end, or end it: select pg_terminate_backend(${pid});`,
      },
    ]);
    expect(await find(database.url, 0, { blockers: 'off' })).toEqual([]);
    expect(await find(database.url, 0, { blockers: { level: 'error', except: ['test'] } })).toEqual([]);
    await client.query('commit');
    expect(await find(database.url)).toEqual([]);
  });

  test('counts from the given age on, which is a minute', async () => {
    const database = await createDatabase();
    const client = await database.connect();
    await client.query('begin');
    expect(await find(database.url, 3600)).toEqual([]);
    const asked: unknown[] = [];
    await withInput(database.url, {}, async (input) => {
      const query = async (_text: string, values: unknown) => (asked.push(values), []);
      await builtInChecks.find(({ rule }) => rule === 'blockers')!.find({ ...askedOf(input), query });
    });
    expect(asked).toEqual([[60]]);
    await client.query('rollback');
  });

  test('does not mind the transactions of other databases, nor its own', async () => {
    const [database, other] = [await createDatabase(), await createDatabase()];
    await (await other.connect()).query('begin');
    const theirs = await other.connect();
    await theirs.query(`begin; create table t (); prepare transaction '${other.name}'`);
    const findings = await withInput(database.url, {}, async (input) => {
      await input.session.send('begin');
      return await answer(blockersOlderThan(0), askedOf(input));
    });
    expect(findings).toEqual([]);
    await theirs.query(`rollback prepared '${other.name}'`);
  });

  test('warns of a prepared transaction, which no session will end', async () => {
    const database = await createDatabase();
    const gid = `it's ${database.name}`;
    await (await database.connect()).query(`begin; create table t (); prepare transaction 'it''s ${database.name}'`);
    const quoted = `'it''s ${database.name}'`;
    expect(await find(database.url)).toEqual([
      {
        code: 'blockers',
        level: 'warn',
        message: `the transaction ${quoted} of "postgres" is prepared for N s; a migration waits for the locks that it holds, and no session will end it`,
        remedy: `Run as "postgres": commit prepared ${quoted}; or: rollback prepared ${quoted};`,
      },
    ]);
    expect(await find(database.url, 0, { blockers: { level: 'warn', except: [gid] } })).toEqual([]);
    await database.query(`rollback prepared ${quoted}`);
    expect(await find(database.url)).toEqual([]);
  });

  test('says what is hidden from an ordinary role, and names it once the role may see it', async () => {
    const database = await createDatabase();
    const role = await database.createRole();
    const client = await database.connect();
    await database.connect(); // in no transaction: of no interest, however hidden
    await client.query('begin');
    const [{ pid }] = (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows as [{ pid: number }];
    expect(await find(role.url, 3600, { blockers: 'error' })).toEqual([
      {
        code: 'blockers',
        level: 'info',
        message: `in a transaction of an age that "${role.name}" may not see: pid ${pid} (test, "postgres")`,
        remedy: `To have the old ones named, run: grant pg_read_all_stats to "${role.name}";`,
      },
    ]);
    await database.query(`grant pg_read_all_stats to ${role.name}`);
    expect(await find(role.url, 3600)).toEqual([]);
    expect(await find(role.url, 0, { blockers: 'error' })).toMatchObject([
      { level: 'error', message: expect.stringContaining(`pid ${pid} (test,`) as unknown },
    ]);
  });
});

describe('invalid-index', () => {
  const broken = async () => {
    const database = await createDatabase();
    await database.query('create schema "Shop"');
    await database.query('create table "Shop".orders (id int)');
    await database.query('insert into "Shop".orders values (1), (1)');
    await expect(database.query('create unique index concurrently orders_id on "Shop".orders (id)')).rejects.toThrow('could not create');
    return database;
  };
  const message = 'the index "Shop"."orders_id" on "Shop"."orders" is invalid: no query uses it, and every write pays for it';

  test('warns of each, with the statement that mends it', async () => {
    const database = await broken();
    const findings = await findingsOf(database.url, 'invalid-index');
    expect(findings).toEqual([
      {
        code: 'invalid-index',
        level: 'warn',
        message,
        remedy: 'Run: reindex index concurrently "Shop"."orders_id"; or, if nobody wants it: drop index concurrently "Shop"."orders_id";',
      },
    ]);
    await database.query('delete from "Shop".orders');
    await database.query(/reindex [^;]*/.exec(findings[0]!.remedy)![0]);
    expect(await findingsOf(database.url, 'invalid-index')).toEqual([]);
  });

  test.each(['orders_id', 'Shop.orders_id'])('passes over one that the rule excepts as %s', async (name) => {
    const database = await broken();
    const rules = only({ 'invalid-index': { level: 'error', except: [name] } });
    expect(await withInput(database.url, { rules }, runChecks)).toEqual([]);
  });

  test('has what a failed reindex left behind dropped', async () => {
    const database = await broken();
    await expect(database.query('reindex index concurrently "Shop".orders_id')).rejects.toThrow('could not create');
    const remedies = (await findingsOf(database.url, 'invalid-index')).map(({ remedy }) => remedy);
    expect(remedies[1]).toBe('Run: drop index concurrently "Shop"."orders_id_ccnew";');
    await database.query(/drop [^;]*/.exec(remedies[1]!)![0]);
    expect(await findingsOf(database.url, 'invalid-index')).toHaveLength(1);
  });

  test('points at the session that is still building it', async () => {
    const database = await createDatabase();
    await database.query('create table t (id int)');
    const blocker = await database.connect();
    await blocker.query('begin; insert into t values (1)');
    const builder = await database.connect();
    const [{ pid }] = (await builder.query<{ pid: number }>('select pg_backend_pid() as pid')).rows as [{ pid: number }];
    const building = builder.query('create index concurrently t_id on t (id)'); // waits for the blocker
    await expect.poll(async () => await database.query('select from pg_index where not indisvalid')).toHaveLength(1);
    expect(await findingsOf(database.url, 'invalid-index')).toMatchObject([
      {
        remedy: `Wait for pid ${pid}, which may be building it; if it stays invalid, run: reindex index concurrently "public"."t_id";`,
      },
    ]);
    await blocker.query('commit');
    await building;
    expect(await findingsOf(database.url, 'invalid-index')).toEqual([]);
  });

  test('does not take its own session for one that is building it', async () => {
    const database = await broken();
    const findings = await withInput(database.url, { rules: only({ 'invalid-index': 'warn' }) }, async (input) => {
      await input.session.send('begin; lock table "Shop".orders in share update exclusive mode');
      return await runChecks(input);
    });
    expect(findings.map(({ remedy }) => remedy.slice(0, 12))).toEqual(['Run: reindex']);
  });

  test('does not mind a partitioned index that waits for its parts', async () => {
    const database = await createDatabase();
    await database.query('create table p (id int) partition by range (id)');
    await database.query('create table p1 partition of p for values from (0) to (1)');
    await database.query('create index p_id on only p (id)');
    expect(await database.query('select from pg_index where not indisvalid')).toHaveLength(1);
    expect(await findingsOf(database.url, 'invalid-index')).toEqual([]);
  });
});
