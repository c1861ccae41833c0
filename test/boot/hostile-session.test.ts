import { describe, expect, test } from 'vitest';
import { makeScene, rowValue, untouched, type Hostile } from '../support/scene.js';

const copy = `const { from } = (await import('${import.meta.resolve('pg-copy-streams')}')).default;
  const connection = await knex.client.acquireConnection();`;
const manyRows = `knex.raw('select generate_series(1, 100000) as n').stream()`;

interface Row extends Hostile {
  readonly code: string;
  readonly says: readonly RegExp[];
  readonly sqlState?: string;
  /** What the message says is done; default: its row in the log. */
  readonly done?: string;
  /** The server's message, where the journal keeps it. */
  readonly message?: string;
}

const streaming = /a query was sent while a stream was open/;
const selfWait = /would wait for it for ever: migrations run on one connection, use the trx that you were given/;
const nowhere = { sqlState: '42P01', message: 'relation "nowhere" does not exist' };

const halfway: Record<string, Row> = {
  'discards all': {
    body: `await knex.raw('discard all'); await knex.raw('create table stray (id int)');`,
    code: 'EM_LOCK_LOST',
    says: [/no longer held the advisory lock; nothing was sent after that/, /DISCARD ALL/],
    done: 'insert into "log"; discard all',
  },
  'releases all advisory locks': {
    body: `await knex.raw('select pg_advisory_unlock_all()');`,
    code: 'EM_LOCK_LOST',
    says: [/no longer held the advisory lock/],
    done: 'insert into "log"; select pg_advisory_unlock_all',
  },
  'leaves a transaction open': {
    body: `await knex.raw('begin'); await knex('log').insert({ name: 'rolled back' });`,
    code: 'EM_TRANSACTION_BROKEN',
    says: [/left a transaction open: what it did there was rolled back/],
  },
  'leaves the transaction of a provider open': {
    body: `const trx = await knex.transactionProvider()(); await trx('log').insert({ name: 'rolled back' });`,
    code: 'EM_TRANSACTION_BROKEN',
    says: [/left a transaction open/],
  },
  'opens a second transaction inside the first': {
    body: `await knex.transaction(async (one) => { await one('log').insert({ name: 'one' }); await knex.transaction((two) => two('log').insert({ name: 'two' })); });`,
    code: 'EM_MIGRATION_FAILED',
    says: [selfWait],
  },
  'queries beside the transaction that it is in': {
    body: `await knex.transaction(async (trx) => { await trx('log').insert({ name: 'one' }); await knex('log').insert({ name: 'two' }); });`,
    code: 'EM_MIGRATION_FAILED',
    says: [selfWait, /0002_hostile.js:4/],
  },
  'queries inside a stream': {
    body: `for await (const row of ${manyRows}) await knex('log').insert({ name: 'in stream' });`,
    code: 'EM_MIGRATION_FAILED',
    says: [streaming],
  },
  'leaves a stream open': {
    body: `const rows = ${manyRows}; await new Promise((resolve) => rows.once('data', resolve)); rows.pause();`,
    code: 'EM_MIGRATION_FAILED',
    says: [streaming],
  },
  'leaves a COPY open': {
    body: `${copy} connection.query(from('copy log from stdin')).write('x');`,
    code: 'EM_MIGRATION_FAILED',
    says: [streaming],
    done: 'insert into "log"; copy log from stdin',
  },
  'does not listen to the error of a COPY': {
    body: `${copy} connection.query(from('copy nowhere from stdin')).end('x\\n'); await new Promise((resolve) => setTimeout(resolve, 200));`,
    code: 'EM_MIGRATION_FAILED',
    says: [/relation "nowhere" does not exist \(SQLSTATE 42P01\)/],
    done: 'insert into "log"; copy nowhere from stdin',
    ...nowhere,
  },
  'does not wait for a COPY that fails': {
    body: `${copy} connection.query(from('copy nowhere from stdin')).end('x\\n');`,
    code: 'EM_MIGRATION_FAILED',
    says: [/relation "nowhere" does not exist \(SQLSTATE 42P01\)/],
    done: 'insert into "log"; copy nowhere from stdin',
    ...nowhere,
  },
  'takes a role that may not write the journal, and fails': {
    body: `await knex.raw('set role pg_monitor'); await knex.raw('select * from nowhere');`,
    code: 'EM_MIGRATION_FAILED',
    says: [/relation "nowhere" does not exist \(SQLSTATE 42P01\)/, /0002_hostile.js:4/],
    ...nowhere,
  },
  'gives itself a statement_timeout': {
    body: `await knex.raw('set statement_timeout = 50'); await knex.raw('select pg_sleep(20)');`,
    code: 'EM_MIGRATION_FAILED',
    says: [/canceling statement due to statement timeout \(SQLSTATE 57014\)/],
    sqlState: '57014',
    message: 'canceling statement due to statement timeout',
  },
  'breaks a constraint': {
    body: `await knex('patients').insert({ name: '${rowValue}', email: 'ada@example.org' });`,
    code: 'EM_MIGRATION_FAILED',
    says: [/SQLSTATE 23505/, /detail: Key \(email\)=\(ada@example.org\) already exists/],
    sqlState: '23505',
    message: 'duplicate key value violates unique constraint "patients_email_key"',
  },
  'breaks a deferred constraint of its own transaction': {
    body: `await knex.raw('create temporary table a (id int primary key, up int references a deferrable initially deferred)');
      await knex.transaction((trx) => trx.raw('insert into a values (1, 7)'));`,
    code: 'EM_MIGRATION_FAILED',
    says: [/SQLSTATE 23503/, /statement: COMMIT/, /detail: Key \(up\)=\(7\)/],
    sqlState: '23503',
    done: 'insert into "log"; create temporary table a',
    message: 'insert or update on table "a" violates foreign key constraint "a_up_fkey"',
  },
  'never resolves': {
    body: 'await new Promise(() => undefined);',
    options: { timeouts: { silenceMs: 300 } },
    code: 'EM_MIGRATION_STALLED',
    says: [/has not sent a statement for 300 ms/],
  },
  'throws null': { body: 'throw null;', code: 'EM_MIGRATION_FAILED', says: [/0002_hostile.js: null/] },
};

const take = `delete from log where name <> '0001'`;

describe('stopped half-way, said so, not run a second time: a migration outside a transaction that', () => {
  test.each(Object.entries(halfway))('%s', async (_title, row) => {
    const scene = await makeScene({ ...row, transaction: false });
    const error = await scene.fail();
    expect(error, error.message).toMatchObject({ code: row.code });
    for (const part of row.says) expect(error.message).toMatch(part);
    expect(error.message).toContain(`already done outside a transaction: ${row.done ?? 'insert into "log"'}\n`);
    const told = { status: 'unfinished', message: row.message ?? row.code, ...(row.sqlState && { sqlState: row.sqlState }) };
    const attempt = row.code === 'EM_LOCK_LOST' ? { status: 'started' } : told; // another may have begun: it says nothing any more
    const left = { ...untouched, log: ['0001', '0002'], owner: { state: 'failed' }, attempt };
    expect(await scene.aftermath()).toMatchObject(left);

    const next = await scene.fail();
    expect(next).toMatchObject({
      code: 'EM_OUT_OF_SYNC',
      findings: [{ code: 'history-unfinished', at: { migration: '0002_hostile.js' } }],
    });
    expect(await scene.aftermath()).toMatchObject(left);

    await scene.undo(take);
    await scene.heal();
  });
});

const untouchedYet: Record<string, { up: string; code: string; says: RegExp; options?: Hostile['options'] }> = {
  'fails at its first statement': { up: `await knex.raw('select * from nowhere');`, code: 'EM_MIGRATION_FAILED', says: /SQLSTATE 42P01/ },
  'takes a role and fails then': {
    up: `await knex.raw('set role pg_monitor'); await knex.raw('create table public.stray (id int)');`,
    code: 'EM_MIGRATION_FAILED',
    says: /permission denied for schema public \(SQLSTATE 42501\)/,
  },
  'throws before its first statement': { up: `throw new Error('not today');`, code: 'EM_MIGRATION_FAILED', says: /not today/ },
  'leaves a transaction open': {
    up: `await knex.raw('begin'); await knex('log').insert({ name: 'rolled back' });`,
    code: 'EM_TRANSACTION_BROKEN',
    says: /left a transaction open/,
  },
  'never resolves': {
    up: 'await new Promise(() => undefined);',
    code: 'EM_MIGRATION_STALLED',
    says: /300 ms/,
    options: { timeouts: { silenceMs: 300 } },
  },
};

describe('has left nothing, so that the mended one is simply applied: a migration outside a transaction that', () => {
  test.each(Object.entries(untouchedYet))('%s', async (_title, { up, code, says, options = {} }) => {
    const text = `export const config = { transaction: false }; export async function up(knex) { ${up} }`;
    const scene = await makeScene({ text, options });
    const error = await scene.fail();
    expect(error, error.message).toMatchObject({ code });
    expect(error.message).toMatch(says);
    expect(error.message).not.toContain('already done');
    expect(await scene.aftermath()).toMatchObject({
      ...untouched,
      owner: { state: 'failed', errorCode: code },
      attempt: { status: 'undone' },
    });
    await scene.heal();
  });
});
