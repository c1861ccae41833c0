import { describe, expect, test } from 'vitest';
import { makeScene, type Hostile } from '../support/scene.js';

const copyStreams = import.meta.resolve('pg-copy-streams');
const copy = `const { from, to } = (await import('${copyStreams}')).default; const { pipeline } = await import('node:stream/promises');
  const { Readable } = await import('node:stream'); const connection = await knex.client.acquireConnection();`;

/** What it leaves in the log beside its own name. */
interface Row extends Hostile {
  readonly logs: readonly string[];
}

const insideTransaction: Record<string, Row> = {
  'catches a failed statement in a savepoint': {
    body: `await knex.transaction((trx) => trx.raw('select * from nowhere')).catch(() => 0); await knex('log').insert({ name: 'after' });`,
    logs: ['after'],
  },
  'has a savepoint of its own in a message': {
    body: `await knex.raw("savepoint a; insert into log values ('undone'); rollback to savepoint a; insert into log values ('kept')");`,
    logs: ['kept'],
  },
};

const eitherWay: Record<string, Row> = {
  'runs statements in parallel': {
    body: `await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => knex('log').insert({ name })));`,
    logs: ['a', 'b', 'c', 'd', 'e'],
  },
  'opens two transactions at once, one of which rolls back': {
    body: `const open = (name, end) => knex.transaction(async (trx) => { await trx('log').insert({ name }); await trx.raw('select pg_sleep(0.01)'); end(); });
      const undone = open('undone', () => { throw new Error('rolled back'); }).catch(() => 0);
      await Promise.all([undone, open('kept', () => undefined)]);`,
    logs: ['kept'],
  },
  'opens transactions inside a transaction': {
    body: `await knex.transaction(async (one) => { await one('log').insert({ name: 'outer' });
        await one.transaction((two) => two('log').insert({ name: 'inner' })); });`,
    logs: ['outer', 'inner'],
  },
  'inserts in batches': { body: `await knex.batchInsert('log', ['a', 'b', 'c'].map((name) => ({ name })), 2);`, logs: ['a', 'b', 'c'] },
  'uses a transaction provider': {
    body: `const trx = await knex.transactionProvider()(); await trx('log').insert({ name: 'provided' }); await trx.commit();`,
    logs: ['provided'],
  },
  'uses .transacting()': {
    body: `await knex.transaction((trx) => knex('log').insert({ name: 'transacting' }).transacting(trx));`,
    logs: ['transacting'],
  },
  'destroys its knex': { body: `await knex.destroy(); await knex('log').insert({ name: 'after' });`, logs: ['after'] },
  'reads a stream to its end': {
    body: `let last; for await (const { n } of knex.raw('select generate_series(1, 1000) as n').stream()) last = n;
      await knex('log').insert({ name: String(last) });`,
    logs: ['1000'],
  },
  'asks the connection itself, with a callback in the query': {
    body: `const connection = await knex.client.acquireConnection();
      const said = []; await new Promise((resolve) =>
        connection.query({ text: "select 'called back' as name", callback: (error, result) => resolve(said.push(error ?? result?.rows[0].name)) }));
      await knex.client.releaseConnection(connection);
      await knex('log').insert({ name: 'first' }); await knex('log').insert({ name: said.join() });`,
    logs: ['first', 'called back'],
  },
  'leaves a stream in the middle': {
    body: `for await (const { n } of knex.raw('select generate_series(1, 100000) as n').stream()) break; await knex('log').insert({ name: 'after' });`,
    logs: ['after'],
  },
  'copies in and out': {
    body: `${copy} await pipeline(Readable.from(['in\\n']), connection.query(from('copy log from stdin')));
      let text = ''; for await (const chunk of connection.query(to('copy patients to stdout'))) text += chunk;
      await knex.client.releaseConnection(connection);
      await knex('log').insert({ name: text.split('\\t')[1] });`,
    logs: ['in', 'Ada'],
  },
  'has a statement and a stream that run for longer than a migration may be silent': {
    body: `await knex.raw('select pg_sleep(0.6)'); for await (const row of knex.raw('select pg_sleep(0.6)').stream());
      await knex('log').insert({ name: 'after' });`,
    options: { timeouts: { silenceMs: 200 } },
    logs: ['after'],
  },
};

const outside: Record<string, Row> = {
  'gives its transaction an isolation level': {
    body: `await knex.transaction(async (trx) => { const { rows: [row] } = await trx.raw('show transaction_isolation');
        await trx('log').insert({ name: row.transaction_isolation }); }, { isolationLevel: 'serializable' });`,
    logs: ['serializable'],
  },
  'begins a transaction by hand, sets it up and commits it': {
    body: `await knex.raw('begin'); await knex.raw('set transaction isolation level repeatable read');
      const { rows: [row] } = await knex.raw('show transaction_isolation'); await knex('log').insert({ name: row.transaction_isolation });
      await knex.raw('commit');`,
    logs: ['repeatable read'],
  },
};

describe.each([
  ['in a transaction', { ...insideTransaction, ...eitherWay }, undefined],
  ['outside of one', { ...eitherWay, ...outside }, false],
] as const)('applied without complaint %s: a migration that', (_where, rows, transaction) => {
  test.each(Object.entries(rows))('%s', async (_title, row) => {
    const scene = await makeScene({ ...row, ...(transaction === false && { transaction }) });
    expect(await scene.boot()).toMatchObject({ status: 'migrated', applied: [{}, {}, { name: '0003_after.js' }], findings: [] });
    const { log, owner, isLocked } = await scene.aftermath();
    expect({ log, owner, isLocked }).toMatchObject({
      log: ['0001', '0002', ...row.logs, '0003'],
      owner: { state: 'clear' },
      isLocked: [0],
    });
    expect((await scene.boot()).status).toBe('in-sync');
  });
});

test('a script whose last line is a comment is applied with its record, which follows in the same message', async () => {
  const scene = await makeScene({ extension: '.sql', text: `insert into log values ('0002') -- the end` });
  expect(await scene.boot()).toMatchObject({ status: 'migrated', applied: [{}, { name: '0002_hostile.sql' }, {}] });
  expect(await scene.aftermath()).toMatchObject({ log: ['0001', '0002', '0003'], owner: { state: 'clear' } });
});
