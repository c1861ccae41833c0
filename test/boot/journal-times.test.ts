import { expect, test } from 'vitest';
import { makeProject } from './project.js';

const timesSql = `select migration, detail ->> 'status' as status, (detail ->> 'durationMs')::int as ms, detail ->> 'started' as started,
  detail ->> 'finished' as finished from knex_migrations_journal where kind = 'attempt' order by id`;

const sleeps = {
  '01_a.sql': 'select pg_sleep(0.3);\n',
  '02_b.js': `exports.up = (knex) => knex.raw('select pg_sleep(0.3)');`,
  '03_c.sql': 'select pg_sleep(0.3)',
};

test.each([
  ['each', sleeps],
  ['all', sleeps],
  ['all, scripts alone', { '01_a.sql': sleeps['01_a.sql'], '03_c.sql': sleeps['03_c.sql'] }],
])('the journal has how long each migration took, a script that was recorded by its own message too: %s', async (transaction, files) => {
  const project = await makeProject(files);
  const before = Date.now();
  const { applied } = await project.boot({ transaction: transaction === 'each' ? 'each' : 'all' });
  const rows = await project.database.query(timesSql);
  expect(rows).toMatchObject(Object.keys(files).map((migration) => ({ migration, status: 'done' })));
  for (const [index, { ms, started, finished }] of rows.entries()) {
    expect(ms).toBeGreaterThanOrEqual(300);
    expect(applied[index]!.durationMs).toBeGreaterThanOrEqual(300);
    const [from, to] = [new Date(started as string), new Date(finished as string)];
    expect([started, finished]).toEqual([from.toISOString(), to.toISOString()]);
    expect(to.getTime() - from.getTime()).toBeGreaterThanOrEqual(299); // each is cut to whole milliseconds
    expect(ms).toBeLessThanOrEqual(to.getTime() - from.getTime() + 1);
    expect(from.getTime()).toBeGreaterThanOrEqual(before - 1);
    expect(to.getTime()).toBeLessThanOrEqual(Date.now() + 1);
  }
});

test('a script that fails is measured here', async () => {
  const project = await makeProject({ '01_a.sql': 'select pg_sleep(0.3); select 1 / 0;' });
  await project.fail();
  const [row] = await project.database.query(timesSql);
  expect(row).toMatchObject({ migration: '01_a.sql', status: 'failed' });
  expect(row!['ms']).toBeGreaterThanOrEqual(300);
});
