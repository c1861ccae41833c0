import { describe, expect, test } from 'vitest';
import type { Options } from '../../src/index.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { makeScene, untouched, type Scene } from '../support/scene.js';

// Its own transaction is that of the whole set: what came before it is committed with it, and the rows that record it are not.
const commits = { body: `await knex.raw("insert into log values ('stray'); commit");` };

async function expectUnfinished(scene: Scene, options: Options): Promise<void> {
  const first = await scene.fail(options);
  expect(first, first.message).toMatchObject({ code: 'EM_TRANSACTION_BROKEN', outcome: { applied: [] } });
  expect(first.message).toContain('part of it is in the database, and not recorded in the history');
  const next = await scene.fail(options);
  expect(next, next.message).toMatchObject({ code: 'EM_OUT_OF_SYNC', findings: [{ code: 'history-unfinished' }] });
  expect(next.message).toContain('0001_before.js, 0002_hostile.js');
}

const left = { history: [], log: ['0001', '0002', 'stray'], tables: untouched.tables, attempt: { status: 'unfinished' } };

describe('a migration that commits the transaction of a set is found, and nothing of the set is run a second time:', () => {
  test(`with transaction: 'all'`, async () => {
    const scene = await makeScene({ ...commits, options: { rules: { 'nested-transaction': 'off' } } });
    await expectUnfinished(scene, { transaction: 'all' });
    expect(await scene.aftermath()).toMatchObject({ ...left, isLocked: [0], owner: { state: 'failed' } });
    await scene.undo('drop table log; drop table patients', '0001_before.js');
    await scene.undo('select');
    await scene.heal({ transaction: 'all' });
  });
});

describeWithPgBouncer('behind PgBouncer', () => {
  test('the same', async () => {
    const scene = await makeScene({ ...commits, options: { rules: { 'nested-transaction': 'off' } } });
    const pooler = await startPgBouncer(scene.database.url);
    await expectUnfinished(scene, { connection: pooler.urlOf(scene.database.url) });
    await pooler.stop(); // it keeps its connections to the server
    expect(await scene.aftermath()).toMatchObject(left);
    await scene.undo('drop table log; drop table patients', '0001_before.js');
    await scene.undo('select');
    await scene.heal();
  });
});
