import { expect, test } from 'vitest';
import { status } from '../../src/commands/index.js';
import { tablesOf } from '../../src/history/index.js';
import { lockKey } from '../../src/lock.js';
import { makeProject } from './project.js';

const writtenByALaterRelease = `
  alter table knex_migrations_journal add column later text default 'later', drop constraint knex_migrations_journal_kind_check;
  update knex_migrations_journal set detail = detail || '{"later": {"of": [1]}}';
  insert into knex_migrations_journal (run, kind, migration, detail)
    select run, 'later', '01_a.js', '{"status": "later"}' from knex_migrations_journal where kind = 'owner';`;

test('a release of the library passes over fields, columns and kinds of rows in the journal that a later one has written', async () => {
  const project = await makeProject('01_a.js');
  await project.boot();
  await project.database.query(writtenByALaterRelease);
  const before = await project.contents();
  expect(await project.boot()).toMatchObject({ status: 'in-sync', findings: [] });
  expect(await status({ connection: project.database.url, migrations: project.directory, logger: false })).toMatchObject({
    inSync: true,
    findings: [],
  });
  expect(await project.contents()).toEqual(before);
  await project.write('02_b.js');
  expect(await project.boot()).toMatchObject({ status: 'migrated', to: '02_b.js', findings: [] });
  expect([await project.boot(), await project.ran()]).toMatchObject([{ status: 'in-sync' }, ['01_a', '02_b']]);
});

test('the lock of a history is the same number in every release', () => {
  const tables = tablesOf({ tableName: 'knex_migrations', schemaName: undefined });
  expect(lockKey({ schema: 'public' } as never, tables)).toEqual({ namespace: 1701669223, key: 219780547 });
});
