import { beforeEach, describe, expect, test } from 'vitest';
import { failureOf } from '../support/scene.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { boot, first, migrationsOf, ranIn, second } from './fixture.js';

let database: TestDatabase;
let next: string;

beforeEach(async () => {
  database = await createDatabase();
  await boot(database, await migrationsOf({}));
  next = await migrationsOf({ [second]: { statements: [] } });
});

const history = 'alter table knex_migrations';
const journal = 'alter table knex_migrations_journal';

const owner = (detail: string) => `update knex_migrations_journal set detail = '${detail}' where kind = 'owner'`;

describe('EM_HISTORY_INVALID', () => {
  test.each([
    ['the history has no column name', `${history} drop column name`, 'column "name" does not exist'],
    ['the history has no column batch', `${history} drop column batch`, 'column "batch" does not exist'],
    ['the journal has no column detail', `${journal} drop column detail cascade`, 'column "detail" does not exist'],
    ['the journal is of text', `${journal} alter column detail type text`, ''],
    ['the lock table counts in words', 'alter table knex_migrations_lock alter column is_locked type text', 'operator does not exist'],
    ['the owner row is of nobody', owner(`{"state": "clear", "run": "x", "unknown": 5}`), 'the owner row cannot be read'],
    ['the owner row is no object', owner('7'), 'the owner row cannot be read'],
    [
      'the journal has two owners',
      `drop index knex_migrations_journal_o;
       insert into knex_migrations_journal (run, kind, detail) select run, kind, detail from knex_migrations_journal where kind = 'owner'`,
      'more than one row returned',
    ],
  ])('%s: nothing was changed', async (_, statement, said) => {
    await database.query(statement);
    const rows = async () => await database.query('select * from knex_migrations_journal order by id');
    const before = await rows();
    const error = await failureOf(boot(database, next));
    expect(error).toMatchObject({ code: 'EM_HISTORY_INVALID', exitCode: 78, retryable: false });
    expect(error.message).toContain(said);
    expect(await rows()).toEqual(before);
    expect(await ranIn(database)).toEqual([first]);
  });
});
