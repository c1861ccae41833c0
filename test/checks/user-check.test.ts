import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import type { CheckInput } from '../../src/checks/index.js';
import { beginReadOnly, bounded } from '../../src/checks/read-only.js';
import { runUserCheck } from '../../src/checks/user-check.js';
import type { Check, CheckContext } from '../../src/config/index.js';
import type { Finding } from '../../src/finding.js';
import { createDatabase } from '../support/servers.js';
import { withInput } from './fixture.js';

const database = await createDatabase();
await database.query('create table notes (id int)');

type Run = (context: CheckContext) => unknown;

const check = (run: Run): Check => ({ name: 'mine', run: run as Check['run'] });

/** Runs it as it runs directly, and as it runs behind a pooler: inside a transaction that is open already, which it must not harm. */
async function bothWays(run: Run): Promise<Finding[]> {
  const direct = await withInput(database.url, {}, async (input) => {
    const findings = await runUserCheck(check(run), input);
    expect(input.session.wire.status).toBe('I');
    return findings;
  });
  const nested = await withInput(database.url, {}, async (input) => {
    await input.session.send('begin; select pg_advisory_xact_lock(1, 2)');
    const findings = await runUserCheck(check(run), input);
    const [row] = await input.session.query(
      `select current_setting('transaction_read_only') as "readOnly" from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()`,
    );
    expect(row).toEqual({ readOnly: 'off' });
    return findings;
  });
  expect(nested).toEqual(direct);
  return direct;
}

const remedy = 'Give a list of { code, level, message, remedy }; an empty one when nothing is wrong.';
const fault = (what: string, how: string): Finding => ({ code: 'mine', level: 'error', message: `the check "mine" ${what}`, remedy: how });

test('a check of the user is told what is about to happen, may ask, and gives findings', async () => {
  const given = { code: 'too-many', level: 'warn', message: 'm', remedy: 'r', at: { migration: '1.js', line: 3 } };
  const seen: unknown[] = [];
  const run: Run = async (context) => {
    const [row] = await context.query<{ n: number }>('select count(*)::int + $1::int as n from notes', [41]);
    seen.push({ ...context, query: undefined, n: row?.n });
    return [given];
  };
  const findings = await withInput(database.url, { environment: 'staging' }, async (input) => {
    return await runUserCheck(check(run), { ...input, pending: [{ name: '1.js' }, { name: '2.sql' }] as unknown as CheckInput['pending'] });
  });
  expect(findings).toEqual([given]);
  const [facts] = seen as [{ serverVersion: number }];
  expect(seen).toEqual([
    {
      n: 41,
      database: database.name,
      environment: 'staging',
      pending: ['1.js', '2.sql'],
      serverVersion: facts.serverVersion,
      query: undefined,
    },
  ]);
  expect(facts.serverVersion).toBeGreaterThanOrEqual(140_000);
});

test.each([
  ['insert into notes values (1)', 'cannot execute INSERT in a read-only transaction'],
  ['create table mine ()', 'cannot execute CREATE TABLE in a read-only transaction'],
  ['set transaction read write; insert into notes values (1)', 'cannot set transaction read-write mode inside a read-only transaction'],
  ['set transaction_read_only = off', 'cannot set transaction read-write mode inside a read-only transaction'],
])('it may look, and not write: %s', async (text, refusal) => {
  const expected = [fault(`failed: ${refusal}`, 'Mend the check, or what it met.')];
  expect(await bothWays(async ({ query }) => (await query(text), []))).toEqual(expected);
  expect(await bothWays(async ({ query }) => (await query('select * from notes'), await query(text), []))).toEqual(expected);
  expect(await database.query('select * from notes')).toEqual([]);
});

test('a setting that it leaves behind is undone', async () => {
  const path = async (input: CheckInput) =>
    (await input.session.query<{ path: string }>(`select current_setting('search_path') as path`))[0]?.path;
  await withInput(database.url, {}, async (input) => {
    const before = await path(input);
    await runUserCheck(
      check(async ({ query }) => (await query('set search_path = nowhere'), [])),
      input,
    );
    expect(await path(input)).toBe(before);
  });
});

test('what it throws refuses, without a password', async () => {
  const run: Run = () => {
    throw new Error('cannot reach postgres://app:hunter2@db/x');
  };
  expect(await bothWays(run)).toEqual([fault('failed: cannot reach postgres://app:***@db/x', 'Mend the check, or what it met.')]);
  expect(await bothWays(async () => await Promise.reject(new Error('no')))).toEqual([
    fault('failed: no', 'Mend the check, or what it met.'),
  ]);
});

test('what it gives that is no list of findings refuses', async () => {
  const good = { code: 'c', level: 'info', message: 'm', remedy: 'r' };
  const cases: [unknown, string][] = [
    [undefined, 'gave nothing, not a list of findings'],
    [true, 'gave boolean, not a list of findings'],
    [good, 'gave object, not a list of findings'],
    [[undefined], 'gave a finding whose code is not a text'],
    [[{ ...good, remedy: '' }], 'gave a finding whose remedy is not a text'],
    [[{ ...good, level: 'fatal' }], 'gave a finding whose level is none of error, warn, info'],
  ];
  for (const [given, what] of cases) expect(await bothWays(() => given)).toEqual([fault(what, remedy)]);
  expect(await bothWays(() => [{ ...good, at: 'here' }])).toEqual([good]);
});

test('one that ends its transaction refuses', async () => {
  const findings = await withInput(database.url, {}, async (input) => {
    return await runUserCheck(
      check(async ({ query }) => (await query('commit'), [])),
      input,
    );
  });
  expect(findings).toEqual([fault('ended its transaction', 'Leave begin, commit and rollback out of it.')]);
});

test('one that never resolves refuses after timeouts.silenceMs without a query, and asks nothing later', async () => {
  const contexts: CheckContext[] = [];
  const findings = await withInput(database.url, { timeouts: { silenceMs: 300 } }, async (input) => {
    const run: Run = async (context) => {
      contexts.push(context);
      await new Promise(() => undefined);
    };
    const result = await runUserCheck(check(run), input);
    await expect(contexts[0]!.query('select 1')).rejects.toThrow('this check has ended: await every query before it does');
    return result;
  });
  expect(findings).toEqual([
    fault('failed: it has asked nothing for 300 ms (timeouts.silenceMs), and has not ended', 'Mend the check, or what it met.'),
  ]);
});

test('a query that runs for longer than that is no silence', async () => {
  const findings = await withInput(database.url, { timeouts: { silenceMs: 300 } }, async (input) => {
    return await runUserCheck(
      check(async ({ query }) => (await query('select pg_sleep(0.9)'), [])),
      input,
    );
  });
  expect(findings).toEqual([]);
});

test('one that runs for long is cancelled when the call is told to stop', async () => {
  const controller = new AbortController();
  const started = performance.now();
  const stopped = withInput(database.url, { signal: controller.signal }, async (input) => {
    const run: Run = async ({ query }) => {
      setTimeout(() => controller.abort(), 100);
      await query('select pg_sleep(30)');
    };
    return await runUserCheck(check(run), input);
  });
  await expect(stopped).rejects.toMatchObject({ code: 'EM_ABORTED' });
  expect(performance.now() - started).toBeLessThan(2_000);
  expect(await database.query(`select from pg_stat_activity where datname = current_database() and query = 'select pg_sleep(30)'`)).toEqual(
    [],
  );
});

test('a session that is lost meanwhile is thrown, even when the check swallows it, or never ends', async () => {
  const swallowing: Run = async ({ query }) => (await query('select pg_terminate_backend(pg_backend_pid())').catch(() => undefined), []);
  const endless: Run = async (context) => {
    await swallowing(context);
    await new Promise(() => undefined);
  };
  for (const run of [swallowing, endless]) {
    const lost = withInput(database.url, {}, async (input) => await runUserCheck(check(run), input));
    await expect(lost).rejects.toMatchObject({ code: 'EM_LOST_SESSION' });
  }
}, 10_000);

test('nothing of it is kept until the session ends', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await withInput(database.url, {}, async (input) => {
    const { client } = input.session.wire;
    const before = client.listenerCount('end');
    const run = async () => {
      const door = await beginReadOnly(input.session);
      await bounded(input, door, async () => await door.query('select'));
      await door.end();
      return new WeakRef(door);
    };
    const [first] = [await run(), await run()]; // Node keeps the last listener of a signal
    await new Promise(setImmediate); // and V8 what a WeakRef was made of, until the end of the turn
    collect();
    expect([first.deref(), client.listenerCount('end')]).toEqual([undefined, before]);
  });
});
