import { describe, expect, test } from 'vitest';
import type { Options } from '../src/config/index.js';
import type { Finding } from '../src/finding.js';
import { renderCreateTables, tablesOf } from '../src/history/index.js';
import { readUnsound, verifyRun } from '../src/verify.js';
import { withInput } from './checks/fixture.js';
import { major } from './support/majors.js';
import { createDatabase, type TestDatabase } from './support/servers.js';

async function migrated(): Promise<TestDatabase> {
  const database = await createDatabase();
  await database.query(renderCreateTables(tablesOf({ tableName: 'knex_migrations', schemaName: undefined })));
  await database.query('create schema "Shop"');
  await database.query('create table "Shop".orders (id int primary key, customer int)');
  await database.query('insert into "Shop".orders values (1, 7), (2, 7)');
  return database;
}

interface Story {
  readonly change?: string;
  readonly expected?: readonly string[];
  readonly options?: Options;
}

/** What the verification says of a run that did `change`. */
async function verify(database: TestDatabase, { change, expected = [], options = {} }: Story): Promise<readonly Finding[]> {
  return await withInput(database.url, options, async ({ call, session, tables }) => {
    const before = await readUnsound(session);
    if (change !== undefined) await database.query(change).catch(() => undefined);
    return await verifyRun({ call, session, tables, before, expected });
  });
}

describe('the history', () => {
  test('has every name that it should, in whatever form and order', async () => {
    const database = await migrated();
    await database.query(`insert into knex_migrations (name) values ('2.ts'), ('1.ts'), ('0.js'), (null)`);
    expect(await verify(database, { expected: ['1.js', '2.js'] })).toEqual([]);
  });
  test('is refused when a name is gone, as often as it should be there', async () => {
    const database = await migrated();
    await database.query(`insert into knex_migrations (name) values ('1.js'), ('3.js')`);
    const remedy = 'Look for what deletes from the history: a migration, a trigger on it, or another tool; then put the rows back.';
    expect(await verify(database, { expected: ['1.js', '2.js', '3.js', '3.js'] })).toEqual([
      { code: 'verify-history', level: 'error', message: 'applied, but no longer in "public"."knex_migrations": 2.js, 3.js', remedy },
    ]);
    expect(await verify(database, { expected: ['2.js'] })).toEqual([
      {
        code: 'verify-history',
        level: 'error',
        message: 'applied, but no longer in "public"."knex_migrations": 2.js',
        remedy,
        at: { migration: '2.js' },
      },
    ]);
  });
});

describe('an index', () => {
  const change = 'create unique index concurrently by_customer on "Shop".orders (customer)'; // fails: there are two of 7

  test('that the run left invalid is an error, with the table and the statement to redo', async () => {
    const database = await migrated();
    const findings = await verify(database, { change });
    expect(findings).toEqual([
      {
        code: 'verify-invalid-index',
        level: 'error',
        message: 'the index "Shop"."by_customer" on "Shop"."orders" is invalid: no query uses it, and every write pays for it',
        remedy:
          'Run: reindex index concurrently "Shop"."by_customer"; or, if nobody wants it: drop index concurrently "Shop"."by_customer";',
      },
    ]);
    await database.query('delete from "Shop".orders');
    await database.query(/reindex [^;]*/.exec(findings[0]!.remedy)![0]);
    expect(await verify(database, {})).toEqual([]);
  });
  test('that was invalid before is left to the checks, unless it is another one of that name', async () => {
    const database = await migrated();
    await database.query(change).catch(() => undefined);
    expect(await verify(database, {})).toEqual([]);
    const again = await withInput(database.url, {}, async ({ call, session, tables }) => {
      const before = await readUnsound(session);
      await database.query('drop index "Shop".by_customer');
      await database.query(change).catch(() => undefined);
      return await verifyRun({ call, session, tables, before, expected: [] });
    });
    expect(again).toHaveLength(1);
  });
  test('that somebody else is building is only mentioned', async () => {
    const database = await migrated();
    const [writer, builder] = [await database.connect(), await database.connect()];
    await writer.query('begin; insert into "Shop".orders values (3, 8)');
    const [finding, ...others] = await withInput(database.url, {}, async ({ call, session, tables }) => {
      const before = await readUnsound(session);
      void builder.query('create index concurrently theirs on "Shop".orders (customer)');
      await expect.poll(async () => await database.query('select from pg_index where not indisvalid')).toHaveLength(1);
      return await verifyRun({ call, session, tables, before, expected: [] });
    });
    expect({ level: finding?.level, others }).toEqual({ level: 'warn', others: [] });
    expect(finding?.remedy).toMatch(/^Wait for pid \d+, which may be building it;/);
    await writer.query('commit');
  });
  test('is passed over where the rule says so', async () => {
    const database = await migrated();
    const rules = { 'verify-invalid-index': { level: 'error', except: ['Shop.by_customer'] } } as const;
    expect(await verify(database, { change, options: { rules } })).toEqual([]);
    await database.query('drop index "Shop".by_customer');
    expect(await verify(database, { change, options: { rules: { 'verify-invalid-index': 'off' } } })).toEqual([]);
  });
});

describe('a constraint', () => {
  const change = 'alter table "Shop".orders add constraint big check (customer > 10) not valid';

  test('that the run added without validating it is a warning, with the statement that validates it', async () => {
    const database = await migrated();
    const findings = await verify(database, { change });
    expect(findings).toEqual([
      {
        code: 'verify-unvalidated-constraint',
        level: 'warn',
        message: 'the constraint "big" of "Shop"."orders" is not validated: what was there before it is not checked',
        remedy: 'Validate it in a later migration, outside the one that added it: alter table "Shop"."orders" validate constraint "big";',
      },
    ]);
    expect(await verify(database, {})).toEqual([]); // it was there before
    await database.query('delete from "Shop".orders');
    await database.query(/alter [^;]*/.exec(findings[0]!.remedy)![0]);
    expect(await database.query('select from pg_constraint where not convalidated')).toEqual([]);
  });
  test('of a domain is one too, and its statement is another', async () => {
    const database = await migrated();
    await database.query('create domain "Shop".price as int');
    const [finding] = await verify(database, { change: 'alter domain "Shop".price add constraint dear check (value > 10) not valid' });
    expect(finding?.message).toContain('the constraint "dear" of "Shop"."price" is not validated');
    await database.query(/alter [^;]*/.exec(finding!.remedy)![0]);
    expect(await database.query('select from pg_constraint where not convalidated')).toEqual([]);
  });
  test('that partitions inherit is one finding', async () => {
    const database = await migrated();
    await database.query('create table p (id int) partition by range (id)');
    await database.query('create table p1 partition of p for values from (0) to (1)');
    const findings = await verify(database, { change: 'alter table p add constraint small check (id < 9) not valid' });
    expect(findings.map(({ message }) => message)).toEqual([
      'the constraint "small" of "public"."p" is not validated: what was there before it is not checked',
    ]);
  });
  test('that is not enforced cannot be validated, and is not asked to be', async () => {
    const database = await migrated();
    if (major >= 18) await database.query('create table n (id int constraint lax check (id > 0) not enforced)');
    const open = await database.query('select from pg_constraint where not convalidated');
    expect(open).toHaveLength(major >= 18 ? 1 : 0);
    expect((await withInput(database.url, {}, async ({ session }) => await readUnsound(session))).constraints).toEqual([]);
  });
  test('is passed over where the rule says so', async () => {
    const database = await migrated();
    const rules = { 'verify-unvalidated-constraint': { level: 'error', except: ['big'] } } as const;
    expect(await verify(database, { change, options: { rules } })).toEqual([]);
  });
});

test('each of the two readings is one message', async () => {
  const database = await migrated();
  const count = await withInput(database.url, {}, async ({ call, session, tables }) => {
    let sent = 0;
    const send = session.wire.send.bind(session.wire);
    session.wire.send = async (message) => (sent++, await send(message));
    const before = await readUnsound(session);
    await verifyRun({ call, session, tables, before, expected: [] });
    return sent;
  });
  expect(count).toBe(2);
});
