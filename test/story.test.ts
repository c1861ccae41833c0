import { expect, test } from 'vitest';
import { startBoot } from './support/boot.js';
import { makeDirectory } from './support/directories.js';
import { createDatabase } from './support/servers.js';

test('ten processes boot at once with a data change outside a transaction: it is made once', async () => {
  const database = await createDatabase();
  const directory = await makeDirectory({
    '01_counters.sql': 'create table counters (n int); insert into counters values (0);',
    '02_count.js': `exports.config = { transaction: false };
      exports.up = async (knex) => { await knex.raw('update counters set n = n + 1'); await knex.raw('create index concurrently counters_n on counters (n)'); };
      exports.down = async () => undefined;`,
  });
  const booting = Array.from({ length: 10 }, () => startBoot({ connection: database.url, directory }));
  for (const { ended } of booting) expect(await ended).toMatchObject({ code: 0 });
  expect(await database.query('select n from counters')).toEqual([{ n: 1 }]);
});
