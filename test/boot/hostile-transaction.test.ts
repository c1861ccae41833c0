import { describe, expect, test } from 'vitest';
import { makeScene, rowValue, untouched, type Hostile } from '../support/scene.js';

const pipeline = `const { pipeline } = await import('node:stream/promises'); const { Readable } = await import('node:stream');`;
const copy = `const { from } = (await import('${import.meta.resolve('pg-copy-streams')}')).default; ${pipeline}
  const connection = await knex.client.acquireConnection();`;
const manyRows = `knex.raw('select generate_series(1, 100000) as n').stream()`;

interface Row extends Hostile {
  readonly code: string;
  /** What the message says, each part. */
  readonly says: readonly (string | RegExp)[];
  /** What the journal keeps of it; the code where there is no SQLSTATE or where the server's message may hold values. */
  readonly sqlState?: string;
  readonly message?: string;
}

const notOurs = /its transaction is ensure-migrated's to begin and to end/;
const streaming = /a query was sent while a stream was open on the one connection that migrates/;

const failing: Record<string, Row> = {
  'throws an error': {
    body: `throw new Error('no such luck: ${rowValue}');`,
    code: 'EM_MIGRATION_FAILED',
    says: [/no such luck/, 'FILE:4'],
  },
  'throws nothing at all': { body: 'throw undefined;', code: 'EM_MIGRATION_FAILED', says: ['FILE: undefined'] },
  'catches a failed statement and returns': {
    body: `try { await knex.raw('select * from nowhere'); } catch {}`,
    code: 'EM_TRANSACTION_BROKEN',
    says: [
      /caught a failed statement and went on/,
      'FILE:4',
      /relation "nowhere" does not exist \(SQLSTATE 42P01\)/,
      'statement: select * from nowhere',
    ],
    sqlState: '42P01',
    message: 'relation "nowhere" does not exist',
  },
  'catches a failed statement, and fails because of that at the next': {
    body: `await knex.raw('select * from nowhere').catch(() => 0);\n  await knex.raw('create table stray (id int)');`,
    code: 'EM_TRANSACTION_BROKEN',
    says: [/caught a failed statement/, 'FILE:4', 'statement: select * from nowhere'],
    sqlState: '42P01',
    message: 'relation "nowhere" does not exist',
  },
  'catches a first statement that cannot be parsed, which took the BEGIN with it': {
    text: `export async function up(knex) { await knex.raw('no sql').catch(() => 0); await knex.raw('create table stray (id int)').catch(() => 0); }`,
    code: 'EM_TRANSACTION_BROKEN',
    says: [/caught a failed statement/, 'FILE:1', 'statement: no sql'],
    sqlState: '42601',
  },
  'commits its trx': { body: 'await knex.commit();', code: 'EM_TRANSACTION_BROKEN', says: [notOurs, /COMMIT/] },
  'commits its trx and does not wait for it': {
    body: `knex.commit(); await knex.raw('create table stray (id int)');`,
    code: 'EM_TRANSACTION_BROKEN',
    says: [notOurs],
  },
  'rolls its trx back': { body: 'await knex.rollback();', code: 'EM_TRANSACTION_BROKEN', says: [notOurs, /ROLLBACK/] },
  'sends commit': { body: `await knex.raw('commit');`, code: 'EM_TRANSACTION_BROKEN', says: [notOurs, '`commit`'] },
  'sends commit behind a comment': {
    body: `await knex.raw('/* done */ -- yes\\n commit');`,
    code: 'EM_TRANSACTION_BROKEN',
    says: [notOurs],
  },
  'sends commit and swallows the refusal': {
    body: `await knex.raw('commit').catch(() => 0);`,
    code: 'EM_TRANSACTION_BROKEN',
    says: [notOurs],
  },
  'sends begin': { body: `await knex.raw('begin; select 1');`, code: 'EM_TRANSACTION_BROKEN', says: [notOurs, '`begin; select 1`'] },
  'sends begin after something else': {
    body: `await knex.raw('select 1; begin');`,
    code: 'EM_TRANSACTION_BROKEN',
    says: [/began a transaction/],
  },
  'prepares its transaction': { body: `await knex.raw("prepare transaction 'x'");`, code: 'EM_TRANSACTION_BROKEN', says: [notOurs] },
  'rolls back and goes on in a transaction of its own': {
    body: `await knex.raw('select 1; rollback and chain; create table stray (id int)');`,
    code: 'EM_TRANSACTION_BROKEN',
    says: [/rolled back a transaction by itself/, /nothing of it is in the database/],
  },
  'releases all advisory locks': {
    body: `await knex.raw('select pg_advisory_unlock_all()');`,
    code: 'EM_LOCK_LOST',
    says: [/no longer held the advisory lock; rolled back/, /pg_advisory_unlock_all/],
    sqlState: 'EMLCK',
  },
  'discards all': {
    body: `await knex.raw('discard all');`,
    code: 'EM_MIGRATION_FAILED',
    says: [/DISCARD ALL cannot run inside a transaction block \(SQLSTATE 25001\)/, 'FILE:4', /transaction: false/],
    sqlState: '25001',
    message: 'DISCARD ALL cannot run inside a transaction block',
  },
  'drops the journal': {
    body: `await knex.raw('drop table knex_migrations_journal');`,
    code: 'EM_NOT_COMMITTED',
    says: [/the COMMIT of 0002_hostile.js failed, nothing of it was applied/, /knex_migrations_journal" does not exist/],
    sqlState: '42P01',
    message: 'relation "public.knex_migrations_journal" does not exist',
  },
  'queries inside a stream': {
    body: `for await (const row of ${manyRows}) await knex('log').insert({ name: 'in stream' });`,
    code: 'EM_MIGRATION_FAILED',
    says: [streaming, 'FILE:4'],
  },
  'reads one of two streams, and queries while the other is open': {
    body: `const [one, other] = [${manyRows}, ${manyRows}]; for await (const row of one);
      await new Promise((resolve) => other.once('data', resolve)); other.pause(); await knex('log').insert({ name: 'beside' });`,
    code: 'EM_MIGRATION_FAILED',
    says: [streaming, 'FILE:5'],
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
  },
  'copies rows that do not fit': {
    body: `${copy} await pipeline(Readable.from(['${rowValue}\\tAda\\tx\\n']), connection.query(from('copy patients from stdin')));`,
    code: 'EM_MIGRATION_FAILED',
    says: [
      /invalid input syntax for type integer: "row-value-7f3a" \(SQLSTATE 22P02\)/,
      'statement: copy patients from stdin',
      /where: COPY patients, line 1/,
    ],
    sqlState: '22P02',
  },
  'copies, and does not listen to the error of that': {
    body: `${copy} connection.query(from('copy nowhere from stdin')).end('x\\n'); await new Promise((resolve) => setTimeout(resolve, 50));`,
    code: 'EM_MIGRATION_FAILED',
    says: [/relation "nowhere" does not exist \(SQLSTATE 42P01\)/, 'statement: copy nowhere from stdin'],
    sqlState: '42P01',
    message: 'relation "nowhere" does not exist',
  },
  'copies from a source that breaks': {
    body: `${copy} const source = async function* () { yield 'x\\n'; throw new Error('the source broke'); };
      await pipeline(Readable.from(source()), connection.query(from('copy log from stdin')));`,
    code: 'EM_MIGRATION_FAILED',
    says: [/the source broke/],
  },
  'never resolves': {
    body: 'await new Promise(() => undefined);',
    options: { timeouts: { silenceMs: 300 } },
    code: 'EM_MIGRATION_STALLED',
    says: [/has not sent a statement for 300 ms/, /Await every promise/],
  },
  'never resolves, and has a stream open': {
    body: `const rows = ${manyRows}; await new Promise((resolve) => rows.once('data', resolve)); rows.pause(); await new Promise(() => undefined);`,
    options: { timeouts: { silenceMs: 300 } },
    code: 'EM_MIGRATION_STALLED',
    says: [/has not touched its open stream for 300 ms/],
  },
  'never resolves, and has a COPY open': {
    body: `${copy} connection.query(from('copy log from stdin')).write('x\\n'); await new Promise(() => undefined);`,
    options: { timeouts: { silenceMs: 300 } },
    code: 'EM_MIGRATION_STALLED',
    says: [/has not touched its open stream for 300 ms/],
  },
  'gives a query a timeout': {
    body: `await knex.raw('select pg_sleep(20)').timeout(50, { cancel: true });`,
    code: 'EM_MIGRATION_FAILED',
    says: [/Defined query timeout of 50ms exceeded/],
  },
};

function expectSays(message: string, file: string, parts: readonly (string | RegExp)[]): void {
  for (const part of parts) {
    if (typeof part === 'string') expect(message).toContain(part.replace('FILE', file));
    else expect(message).toMatch(part);
  }
}

// The lint refuses most of this before it is sent: what happens where it is off is what these tests are about.
const unlinted = { lint: false } as const;

describe('rolled back, reported and healed by a mended file: a migration that', () => {
  test.each(Object.entries(failing))('%s', async (_title, row) => {
    const scene = await makeScene({ ...row, options: { ...unlinted, ...row.options } });
    const error = await scene.fail();
    expect(error, error.message).toMatchObject({ code: row.code, outcome: { applied: [{ name: '0001_before.js' }] } });
    expectSays(error.message, scene.file, row.says);
    const attempt = { status: 'failed', message: row.message ?? row.code, ...(row.sqlState && { sqlState: row.sqlState }) };
    expect(await scene.aftermath()).toMatchObject({ ...untouched, owner: { state: 'failed', errorCode: row.code }, attempt });
    await scene.heal();
  });
});

interface Broken {
  readonly sends: string;
  readonly then?: string;
  /** What it has left in the database. */
  readonly leaves: { readonly log: readonly string[]; readonly tables: readonly string[] };
}

const insert = `insert into log values ('stray');`;
const tables = ['log', 'patients'];
const brokenInside: Record<string, Broken> = {
  'a COMMIT': {
    sends: `${insert} commit; create table stray (id int)`,
    leaves: { log: ['0001', '0002', 'stray'], tables: [...tables, 'stray'] },
  },
  'a COMMIT, and goes on when that is refused': {
    sends: `${insert} commit`,
    then: `.catch(() => 0); await knex.raw('create table stray (id int)').catch(() => 0)`,
    leaves: { log: ['0001', '0002', 'stray'], tables },
  },
  'a COMMIT AND CHAIN': { sends: `${insert} commit and chain`, leaves: { log: ['0001', '0002', 'stray'], tables } },
  'a COMMIT and a BEGIN': { sends: `${insert} commit; begin`, leaves: { log: ['0001', '0002', 'stray'], tables } },
  'a COMMIT before a statement that fails': {
    sends: `${insert} commit; select * from nowhere`,
    leaves: { log: ['0001', '0002', 'stray'], tables },
  },
  'a ROLLBACK before something that commits by itself': {
    sends: `${insert} rollback; create table stray (id int)`,
    leaves: { log: ['0001'], tables: [...tables, 'stray'] },
  },
};

describe('found at once, and never run a second time: a migration that hides in the middle of a message', () => {
  test.each(Object.entries(brokenInside))('%s', async (_title, { sends, then = '', leaves }) => {
    const scene = await makeScene({ body: `await knex.raw(${JSON.stringify(sends)})${then};`, options: unlinted });
    const error = await scene.fail();
    expect(error, error.message).toMatchObject({ code: 'EM_TRANSACTION_BROKEN' });
    expectSays(error.message, scene.file, [/part of it is in the database, and not recorded in the history/, sends]);
    const left = { ...untouched, ...leaves, attempt: { status: 'unfinished' } };
    expect(await scene.aftermath()).toMatchObject({ ...left, owner: { state: 'failed', errorCode: 'EM_TRANSACTION_BROKEN' } });

    const next = await scene.fail();
    expect(next).toMatchObject({
      code: 'EM_OUT_OF_SYNC',
      findings: [{ code: 'history-unfinished', at: { migration: '0002_hostile.js' } }],
    });
    expect(await scene.aftermath()).toMatchObject(left);

    await scene.undo(`delete from log where name <> '0001'; drop table if exists stray`);
    await scene.heal();
  });
});
