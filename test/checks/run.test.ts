import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { answer, type BuiltInCheck, type CheckInput } from '../../src/checks/check.js';
import { runChecks } from '../../src/checks/index.js';
import { askedOf, builtInChecks } from '../../src/checks/run.js';
import { ruleTable } from '../../src/config/index.js';
import { guarded } from '../../src/session/index.js';
import { root } from '../support/majors.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { createDatabase } from '../support/servers.js';
import { only, withInput } from './fixture.js';

const database = await createDatabase();

test('a guarded query tells what it has failed with, also where the transaction ended with it', async () => {
  await database.query('create table once (x int unique deferrable initially deferred)');
  const error = await withInput(database.url, {}, async ({ session }) => {
    await session.send('begin; insert into once values (1), (1)');
    return await guarded(session)('commit').catch((thrown: unknown) => thrown);
  });
  expect(error).toMatchObject({ code: '23505' });
  expect(await database.query('select from once')).toEqual([]);
  await database.query('drop table once');
});

test('all checks are asked and reported together, whatever the first of them found', async () => {
  const role = await database.createRole('connection limit 2');
  await database.query(`alter role ${role.name} set default_transaction_read_only = on`);
  await database.query(`alter role ${role.name} set track_activities = off`);
  const options = {
    expect: { database: 'production' },
    migrations: { schemaName: 'nowhere' },
    checks: [{ name: 'mine', run: () => [{ code: 'mine', level: 'warn' as const, message: 'm', remedy: 'r' }] }],
  };
  const findings = await withInput(role.url, options, runChecks);
  expect(findings.map(({ code, level }) => `${code} ${level}`)).toEqual([
    'identity error',
    'not-writable error',
    'role-privileges error',
    'server-settings warn',
    'free-connections warn',
    'mine warn',
  ]);
});

test('a database on which nothing is wrong is asked five questions, and nothing is found', async () => {
  const asked = await withInput(database.url, {}, async (input) => {
    const queries = countQueries(input);
    expect(await runChecks(input)).toEqual([]);
    return queries();
  });
  expect(asked).toBe(5);
});

test('nothing is asked when every rule is off', async () => {
  const asked = await withInput(database.url, { rules: only({}), expect: { systemIdentifier: '1' } }, async (input) => {
    const queries = countQueries(input);
    expect(await runChecks({ ...input, pooled: true })).toEqual([]);
    return queries();
  });
  expect(asked).toBe(0);
});

function countQueries({ session }: CheckInput): () => number {
  let count = 0;
  const { wire } = session;
  const send = wire.send.bind(wire);
  wire.send = async (message) => (count++, await send(message));
  return () => count;
}

describe('a check whose own query fails', () => {
  const failing: BuiltInCheck = { rule: 'blockers', find: async ({ query }) => await query('select 1/0') };

  test('is a finding of the level of its rule', async () => {
    expect(await withInput(database.url, {}, async (input) => await answer(failing, askedOf(input)))).toEqual([
      {
        code: 'blockers',
        level: 'warn',
        message: 'this could not be found out: division by zero (SQLSTATE 22012)',
        remedy: "Mend what the message names, or go without the answer: rules: { 'blockers': 'off' }.",
      },
    ]);
  });

  test('does not show a password', async () => {
    const talking: BuiltInCheck = { rule: 'blockers', find: () => Promise.reject(new Error('postgres://app:hunter2@db/x')) };
    const [finding] = await withInput(database.url, {}, async (input) => await answer(talking, askedOf(input)));
    expect(finding?.message).toBe('this could not be found out: postgres://app:***@db/x');
  });

  test('leaves the transaction alone that was open before, with the lock that lives in it', async () => {
    const held = await withInput(database.url, {}, async (input) => {
      await input.session.send('begin; select pg_advisory_xact_lock(1, 2)');
      expect(await answer(failing, askedOf(input))).toHaveLength(1);
      expect(await runChecks(input)).toEqual([]);
      expect(input.session.wire.status).toBe('T');
      return await input.session.query(`select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()`);
    });
    expect(held).toHaveLength(1);
  });

  test('is thrown when the session is lost', async () => {
    const lost = withInput(database.url, {}, async (input) => {
      await database.query('select pg_terminate_backend($1)', [input.facts.backendPid]);
      await input.session.wire.ended;
      return await runChecks(input);
    });
    await expect(lost).rejects.toMatchObject({ code: 'EM_LOST_SESSION' });
  });
});

test('a call that was told to stop asks nothing more', async () => {
  const controller = new AbortController();
  const stopped = withInput(database.url, { signal: controller.signal }, async (input) => {
    controller.abort();
    return await runChecks(input);
  });
  await expect(stopped).rejects.toMatchObject({ code: 'EM_ABORTED' });
});

describeWithPgBouncer('behind PgBouncer in transaction mode', () => {
  test('the checks run in the transaction that holds the lock, and leave it so', async () => {
    const bouncer = await startPgBouncer(database.url);
    const checks = [
      { name: 'mine', run: async (context: { query(text: string): Promise<unknown> }) => (await context.query('select 1/0'), []) },
    ];
    await withInput(bouncer.urlOf(database.url), { checks }, async (input) => {
      await input.session.send('begin isolation level read committed; select pg_try_advisory_xact_lock(3, 4)');
      const findings = await runChecks({ ...input, pooled: true });
      expect(findings.map(({ code }) => code)).toEqual(['pooler', 'mine']);
      expect(input.session.wire.status).toBe('T');
      expect(await input.session.query(`select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()`)).toHaveLength(1);
      await input.session.send('create table written_after_the_checks (); rollback');
    });
  });
});

describe('docs/checks.md', () => {
  const text = readFileSync(path.join(root, 'docs/checks.md'), 'utf8');
  const rows = [...text.matchAll(/^\| `([\w-]+)` +\|[^|]*\| (error|warn)\b/gm)];

  test('has a row for every check, in their order, with the level of its rule', () => {
    const verified = Object.keys(ruleTable).filter((rule) => rule.startsWith('verify-')) as (keyof typeof ruleTable)[];
    const rules = [...builtInChecks.map(({ rule }) => rule), ...verified];
    expect(rows.map(([, rule, level]) => [rule, level])).toEqual(rules.map((rule) => [rule, ruleTable[rule].level]));
  });
});
