import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { backfill } from '../../src/index.js';
import { createDatabase } from '../support/servers.js';
import { enqueueOn } from './fixture.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test('the memory of a worker does not grow with the rows that its code has seen', async () => {
  const heaps: number[] = [];
  let batches = 0;
  const { options, counted } = await enqueueOn(await createDatabase(), {
    rows: `select i, 0, repeat('x', 1000) from generate_series(1, 16000) i`,
    definition: () => ({
      targetMs: 10,
      batchSize: 100,
      apply: (rows) => {
        if (++batches % 10 === 0) {
          collect();
          heaps.push(process.memoryUsage().heapUsed / 2 ** 20);
        }
        return rows.map((row) => ({ ...row, v: 1 }));
      },
    }),
  });
  await backfill.run(options);
  expect(await counted()).toEqual([{ v: 1, n: 16_000 }]);
  expect(heaps.length).toBeGreaterThan(3);
  const [, early = 0] = heaps; // the first has loaded knex
  expect((heaps.at(-1) ?? 0) - early).toBeLessThan(4); // of 16 MB that came by
});
