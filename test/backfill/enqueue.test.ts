import { expect, test } from 'vitest';
import { ensureMigrated } from '../../src/index.js';
import { createDatabase } from '../support/servers.js';
import { optionsFor } from './orders.js';

test.each([
  ['EM_BACKFILL_INVALID', `await backfill.enqueue(knex, 'b')`, 'does not export it'],
  ['EM_BACKFILL_INVALID', `await backfill.enqueue(knex, 'b', { table: 'keyed' })`, 'either set or apply'],
  ['EM_BACKFILL_INVALID', `await backfill.enqueue(knex, 'b', { table: 'keyed', apply: () => [] })`, 'cannot be found again'],
  ['EM_BACKFILL_INVALID', `await backfill.enqueue(knex, 'b', { table: 'keyed', set: 'nothing = 1' })`, 'does not take'],
  [
    'EM_BACKFILL_INVALID',
    `await backfill.enqueue(knex, 'b', { table: 'keyed', set: 'v = 1', batchSize: 50001 })`,
    'from 1 to 50000; got 50001',
  ],
  ['EM_BACKFILL_REFUSED', `await backfill.enqueue(knex, 'b', { table: 'heap', set: 'v = 1' })`, 'no primary key'],
  ['EM_BACKFILL_REFUSED', `await backfill.enqueue(knex, 'b', { table: 'absent', set: 'v = 1' })`, 'there is no table'],
])('%s takes the migration back: %s', async (code, body, message) => {
  const database = await createDatabase();
  await database.query('create table keyed (id int primary key, v int)');
  await database.query('create table heap (v int)');
  const sources = { '01.js': `{ config: { capture: false }, up: async (knex) => { ${body}; }, down: async () => undefined }` };
  const thrown = await ensureMigrated(await optionsFor(database, sources)).catch((error: unknown) => error);
  const errors = [thrown, (thrown as Error).cause] as Error[];
  expect(errors).toContainEqual(expect.objectContaining({ code, message: expect.stringContaining(message) as string }));
  expect(await database.query('select from knex_migrations')).toEqual([]);
  expect(await database.query(`select to_regclass('knex_migrations_backfills') as made`)).toEqual([{ made: null }]);
});
