import { describe, expect, test } from 'vitest';
import type { Options } from '../../src/index.js';
import { makeDirectory } from '../support/directories.js';
import { loadedBy } from '../support/loaded.js';
import { createDatabase } from '../support/servers.js';

const insert = (id: number) => `insert into lines values (${id});\n`;
/** A script of `count` statements after the first. */
const scriptOf = (count: number) =>
  `create table lines (id int primary key);\n${Array.from({ length: count }, (_, id) => insert(id)).join('')}`;

/** Boots with this script after one that is well behaved, in a process of its own. */
async function fail(script: string, more: Options = {}) {
  const database = await createDatabase();
  const migrations = await makeDirectory({ '01_first.sql': 'create table first ();\n', '02_long.sql': script });
  const options = JSON.stringify({ connection: database.url, migrations, logger: false, ...more });
  const loaded = await loadedBy(`await ensureMigrated(${options}).catch(({ code, message }) => console.log(code, message));`);
  const rows = await database.query(`select name, to_regclass('lines') as lines from knex_migrations`);
  expect(rows).toEqual([{ name: '01_first.sql', lines: null }]);
  return loaded;
}

describe('a .sql migration that fails', () => {
  test('and is short is parsed, so that the statement is named', async () => {
    const { stdout, packages } = await fail(`${scriptOf(10)}\n${insert(3)}`);
    expect(stdout).toMatch(
      /^EM_MIGRATION_FAILED migration 02_long\.sql failed at \S+02_long\.sql:13: duplicate key .*\n {2}statement: insert into lines values \(3\)\n/,
    );
    expect(packages).toContain('libpg-query');
  });

  // Over the limit, which 20 MB are too.
  const long = scriptOf(50_000);

  test('and is long is not parsed: where the server gives a position, that has the line', async () => {
    const { stdout, packages } = await fail(`${long}insert into lines values (nowhere);\n`, { lint: false });
    expect(stdout).toMatch(
      /failed at \S+02_long\.sql:50002: column "nowhere" does not exist .*\n {2}statement: insert into lines values \(nowhere\);\n/,
    );
    expect(packages).not.toContain('libpg-query');
  });

  test('and is long is not parsed: without a position the statements are counted', async () => {
    const { stdout, packages } = await fail(`${long}${insert(3)}`, { lint: false });
    expect(stdout).toMatch(
      /failed at \S+02_long\.sql, statement 50002 of it: duplicate key .*\n {2}detail: Key \(id\)=\(3\) already exists\.\n/,
    );
    expect(packages).not.toContain('libpg-query');
  });
});
