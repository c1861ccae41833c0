import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { ensureMigrated } from '../../src/index.js';
import type * as testing from '../../src/testing/index.js';
import { afterFile } from '../support/cleanup.js';
import { makeDirectory } from '../support/directories.js';
import { root } from '../support/majors.js';
import { createDatabase } from '../support/servers.js';
import { files } from './fixture.js';

// The built one, since it starts processes that cannot load TypeScript.
const { startTestDatabases } = (await import(pathToFileURL(path.join(root, 'dist/testing/index.js')).href)) as typeof testing;

async function start(given: Readonly<Record<string, string>>) {
  const maintenance = await createDatabase();
  const migrations = await makeDirectory({ ...files, ...given });
  const harness = await startTestDatabases({ migrations, url: maintenance.url });
  afterFile(async () => await harness.stop());
  return { harness, migrations };
}

test('upDownUp() names what a down leaves behind, and what a second up makes otherwise', async () => {
  const { harness } = await start({
    '03_index.up.sql': 'create index on people (name); alter table people add column age int;',
    '03_index.down.sql': 'alter table people drop column age;',
    '04_good.up.sql': 'create table good (id int);',
    '04_good.down.sql': 'drop table good;',
  });
  const findings = await harness.upDownUp();
  expect(findings.map(({ code, at }) => [code, at?.migration])).toEqual([
    ['migration-no-down', '01_people.sql'],
    ['migration-down-differs', '03_index.up.sql'],
    ['migration-up-differs', '03_index.up.sql'],
  ]);
  expect(findings[1]?.message).toContain('index people_name_idx on public.people was added');
});

test('of processes that boot at once one migrates', async () => {
  const { harness } = await start({});
  const { db, boots } = await harness.raceBoot(3, { at: '01_people' });
  expect(boots.map((boot) => boot.is === 'booted' && boot.status).sort()).toEqual(['in-sync', 'in-sync', 'migrated']);
  expect((await db.pool.query('select count(*)::int as count from countries')).rows).toEqual([{ count: 3 }]);
  expect(await db.reset()).toBe('renewed');
  expect((await db.pool.query(`select to_regclass('countries') as there`)).rows).toEqual([{ there: null }]);
});

test('a boot can be killed at an event, and the next one heals', async () => {
  const { harness, migrations } = await start({});
  const { db } = await harness.killAt('step.applied');
  const there = `select to_regclass('people')::text as people, to_regclass('countries')::text as countries`;
  expect((await db.pool.query(there)).rows).toEqual([{ people: 'people', countries: null }]);
  expect(await ensureMigrated({ connection: db.url, migrations, logger: false })).toMatchObject({ status: 'migrated' });
  expect((await db.pool.query(there)).rows).toEqual([{ people: 'people', countries: 'countries' }]);
});

test('an event that a boot does not come to is an error', async () => {
  const { harness } = await start({});
  await expect(harness.killAt('step.retried')).rejects.toMatchObject({ code: 'EM_TEST_NOT_KILLED' });
});

test('options that another process cannot be told are refused', async () => {
  const maintenance = await createDatabase();
  await using harness = await startTestDatabases({ migrations: { modules: { '1': { up: () => undefined } } }, url: maintenance.url });
  await expect(harness.raceBoot(2)).rejects.toMatchObject({ code: 'EM_TEST_SERVER' });
});
