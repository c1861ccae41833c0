import { expect, test } from 'vitest';
import { backfill } from '../../src/index.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { createDatabase } from '../support/servers.js';
import { enqueueOn } from './fixture.js';

describeWithPgBouncer('behind PgBouncer in transaction mode', () => {
  test('four workers on two connections change each row once, in SQL and in code, and leave nothing set', async () => {
    const database = await createDatabase();
    const pooler = await startPgBouncer(database.url, { settings: { default_pool_size: 2 } });
    const inSql = await enqueueOn(database, { definition: () => ({ batchSize: 50, targetMs: 20, parallel: 4 }) });
    const inCode = await enqueueOn(database, {
      definition: () => ({
        batchSize: 50,
        targetMs: 20,
        parallel: 4,
        apply: (rows) => rows.map((row) => ({ ...row, v: (row['v'] as number) + 1 })),
      }),
    });
    for (const { options, counted } of [inSql, inCode]) {
      const through = { ...options, connection: pooler.urlOf(database.url) };
      const all = await Promise.all([1, 2, 3, 4].map(() => backfill.run(through)));
      expect(all.flat().map(({ status }) => status)).toEqual(['done', 'done', 'done', 'done']);
      expect(await counted()).toEqual([{ v: 1, n: 1000 }]);
    }
    const client = await database.connect(pooler.urlOf(database.url));
    const { rows } = await client.query(
      `select name from pg_settings where source = 'session' and name not in ('application_name', 'client_encoding')`,
    );
    expect(rows).toEqual([]);
  });
});
