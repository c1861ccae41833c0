import type { Knex } from 'knex';
import { expect, test } from 'vitest';
import * as library from '../../src/index.js';

const {
  addCheck,
  addColumnWithVolatileDefault,
  addForeignKey,
  addIndexConcurrently,
  dropIndexConcurrently,
  setNotNull,
  validateConstraint,
} = library;

const unreached = (): never => {
  throw new Error('something was sent');
};
const knex = { raw: unreached } as unknown as Knex;
const remedy = 'Correct what the migration gives to this function. This call has sent nothing.';
const long = 'ü'.repeat(32);

test.each<[string, (knex: Knex, options: never) => Promise<void>, unknown, string[]]>([
  [
    'a list of no columns, and a misspelt key',
    addIndexConcurrently,
    { table: 'a', name: 'b', columns: [], uniqe: true },
    ['uniqe: unknown option; did you mean "unique"?', 'columns: expected a list of columns, at least one; got an empty list'],
  ],
  [
    'no table, and a name that is too long',
    addIndexConcurrently,
    { name: long, columns: ['a'] },
    [`name: expected a name of at most 63 bytes; got 64 bytes: "${long}"`, 'table: is missing'],
  ],
  [
    'keys that are neither columns nor expressions',
    addIndexConcurrently,
    { table: 'a', name: 'b', columns: ['', { column: 'a', expression: 'b' }, { order: 'up', column: 'a' }] },
    [
      'columns.0: expected a name; got ""',
      'columns.1.column: expected either a column or an expression; got an object',
      'columns.2.order: expected "asc" or "desc"; got "up"',
    ],
  ],
  [
    'a pattern that knex cannot send',
    addCheck,
    { table: 'a', name: 'b', expression: `a ~ '\\?'` },
    [`expression: expected SQL that knex can send: [?] in place of \\? in a pattern; got "a ~ '\\\\?'"`],
  ],
  [
    'nothing in place of an expression',
    addCheck,
    { table: 'a', name: 'b', expression: ' ' },
    ['expression: expected text that is not empty; got ""'],
  ],
  [
    'a table without its name',
    addCheck,
    { table: { schema: 'a', tables: 'b' }, name: 'b', expression: 'c' },
    ['table.tables: unknown option; did you mean "table"?', 'table.table: expected a name; got undefined'],
  ],
  [
    'columns that refer to fewer',
    addForeignKey,
    { table: 'a', name: 'b', columns: ['c', 'd'], references: { table: 'e', columns: ['f'] } },
    ['references.columns: expected as many as columns'],
  ],
  [
    'no other table',
    addForeignKey,
    { table: 'a', name: 'b', columns: ['c'], references: {}, onDelete: 'cascde' },
    [
      'references.table: expected a table; got undefined',
      'references.columns: expected a list of names, at least one; got undefined',
      'onDelete: expected "no action", "restrict", "cascade", "set null" or "set default"; got "cascde"; did you mean "cascade"?',
    ],
  ],
  [
    'a type that would rewrite the table',
    addColumnWithVolatileDefault,
    { table: 'a', column: 'b', type: 'bigserial', default: '1', batchSize: 0 },
    [
      'type: expected a type, with a sequence of your own for its default; got "bigserial"',
      'batchSize: expected a whole number above 0; got 0',
    ],
  ],
  ['no options', setNotNull, undefined, ['expected an object of table, column; got undefined']],
  ['no names', dropIndexConcurrently, {}, ['table: is missing', 'name: is missing']],
  ['a list in place of a name', validateConstraint, { table: ['a'], name: 'b' }, ['table: expected a name; got a list']],
])('%s is one error with every problem, before anything is sent', async (_what, helper, options, problems) => {
  await expect(helper(knex, options as never)).rejects.toMatchObject({
    code: 'EM_DDL_INVALID',
    message: [`${helper.name} was called wrongly:`, ...problems.map((each) => `- ${each}`), remedy].join('\n  '),
  });
});

test('something that is no knex is refused', async () => {
  await expect(setNotNull({} as never, { table: 'a', column: 'b' })).rejects.toMatchObject({ code: 'EM_DDL_INVALID' });
});
