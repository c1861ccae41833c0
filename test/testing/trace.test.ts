import { expect, test } from 'vitest';
import { makeDirectory } from '../support/directories.js';
import { readProject } from '../../src/testing/project.js';
import { traceMigrations } from '../../src/testing/trace.js';
import { createDatabase } from '../support/servers.js';
import { shortly } from '../trace/fixture.js';
import { files, ours, startHarness } from './fixture.js';

test('trace() tells of each migration what it does to what was there before it, and leaves nothing', async () => {
  const { harness, maintenance } = await startHarness();
  const before = await ours(maintenance);
  const { migrations, failure } = await harness.trace();
  expect(failure).toBeUndefined();
  expect(migrations.map(({ name }) => name)).toEqual(['01_people.sql', '02_countries.js']);
  const statements = migrations.flatMap((migration) => migration.statements);
  expect(statements.length).toBeGreaterThan(10);
  expect(new Set(statements.map(shortly))).toEqual(new Set(['']));
  expect(await ours(maintenance)).toEqual(before);
});

test('trace() begins after a revision, and ends at a migration that fails', async () => {
  const migrations = await makeDirectory({
    ...files,
    '03_born.sql': 'alter table people add column born timestamptz default clock_timestamp();',
    '04_index.sql': '-- transaction: false\ncreate index concurrently notes_text on notes (text);',
    '05_fails.sql': 'alter table nowhere add column x int;',
  });
  const project = readProject({ migrations });
  const trace = async (from: string) => await traceMigrations({ project, url: (await createDatabase()).url, from });
  const traced = await trace('countries');
  expect(traced.migrations.map(({ name, statements }) => [name, ...statements.map(shortly)])).toEqual([
    ['03_born.sql', 'AX people, +rewrite people, +index people_name_key, +index people_pkey'],
    ['04_index.sql', 'SUE notes, +index notes_text'],
    ['05_fails.sql', 'fails 42P01'],
  ]);
  expect(traced.failure).toMatchObject({ code: 'EM_MIGRATION_FAILED', message: expect.stringContaining('05_fails.sql') as string });
  await expect(trace('nothing')).rejects.toMatchObject({ code: 'EM_PLAN_REFUSED' });
});
