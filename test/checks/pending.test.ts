import { describe, expect, test } from 'vitest';
import { runChecks } from '../../src/checks/index.js';
import type { Options, Rule } from '../../src/config/index.js';
import type { Finding } from '../../src/finding.js';
import { createDatabase } from '../support/servers.js';
import { findingsOf, load, only, withInput, withoutDirectories } from './fixture.js';

const database = await createDatabase();

async function find(rule: Rule, files: Readonly<Record<string, string>>, options: Options = {}): Promise<readonly Finding[]> {
  return withoutDirectories(await findingsOf(database.url, rule, { options, input: { pending: await load(files) } }));
}

const [up, down] = ['export const up = () => undefined;\n', 'export const down = () => undefined;\n'];

describe('migration-no-down', () => {
  test('warns of each migration that cannot be taken back, and says what to add', async () => {
    const files = {
      '1.js': up,
      '2.sql': 'select 1',
      '3.up.sql': 'select 1',
      '4.js': up + down,
      '5.up.sql': 'select 1',
      '5.down.sql': 'select 1',
    };
    expect(await find('migration-no-down', files)).toEqual([
      {
        code: 'migration-no-down',
        level: 'warn',
        message: "1.js has no down: it cannot be taken back, and knex's own command line refuses it",
        remedy: 'Export a function down from it.',
        at: { migration: '1.js', file: '1.js' },
      },
      {
        code: 'migration-no-down',
        level: 'warn',
        message: '2.sql has no down: it cannot be taken back',
        remedy: 'Rename it to 2.up.sql and add 2.down.sql.',
        at: { migration: '2.sql', file: '2.sql' },
      },
      {
        code: 'migration-no-down',
        level: 'warn',
        message: '3.up.sql has no down: it cannot be taken back',
        remedy: 'Add 3.down.sql beside it.',
        at: { migration: '3.up.sql', file: '3.up.sql' },
      },
    ]);
  });
  test('passes over the migrations that the rule excepts, with or without their extension', async () => {
    const pending = await load({ '1.js': up, '2.js': up, '3.js': up });
    const rules = only({ 'migration-no-down': { level: 'error', except: ['1', '2.js'] } });
    const findings = await withInput(database.url, { rules }, async (input) => await runChecks({ ...input, pending }));
    expect(findings.map(({ level, at }) => [level, at?.migration])).toEqual([['error', '3.js']]);
  });
});

describe('source-knex-invisible', () => {
  const files = { '1.mjs': up + down, '2.js': up + down, '3.cjs': 'exports.up = exports.down = () => undefined', '4.sql': 'select 1' };

  test("warns of an extension that knex's command line passes over", async () => {
    expect(await find('source-knex-invisible', files)).toEqual([
      {
        code: 'source-knex-invisible',
        level: 'warn',
        message: "knex's own command line does not see 1.mjs; once it is applied, knex says that the directory is corrupt",
        remedy: "Rename it to .js or .ts, or set loadExtensions for both, or pass it over: rules: { 'source-knex-invisible': 'off' }.",
        at: { migration: '1.mjs', file: '1.mjs' },
      },
    ]);
  });
  test('finds nothing where loadExtensions tells knex too', async () => {
    const options = { migrations: { directory: '.', loadExtensions: ['.mjs', '.js'] } };
    expect(await find('source-knex-invisible', files, options)).toEqual([]);
  });
});

describe('sql-transaction-control', () => {
  const script = 'create table a (id int);\n\n-- now it is there\ncommit;\ncreate table b (id int);\n';

  test('refuses it in a transactional script, with the line', async () => {
    expect(await find('sql-transaction-control', { '1.sql': script })).toEqual([
      {
        code: 'sql-transaction-control',
        level: 'error',
        message: '1.sql:4 has "commit", but the migration runs in a transaction that also writes its history row',
        remedy: 'Take the statement out: ensure-migrated begins and commits. Savepoints may stay.',
        at: { migration: '1.sql', file: '1.sql', line: 4 },
      },
    ]);
  });
  test('finds nothing in savepoints, in code, and in what runs outside a transaction', async () => {
    const files = { '1.sql': 'savepoint a;\nrelease savepoint a;', '2.js': up + down, '3.sql': `-- transaction: false\n${script}` };
    expect(await find('sql-transaction-control', files)).toEqual([]);
    const options = { migrations: { directory: '.', disableTransactions: true } };
    expect(await find('sql-transaction-control', { '1.sql': script }, options)).toEqual([]);
    const asked = { '1.sql': `-- transaction: true\n${script}` };
    expect(await find('sql-transaction-control', asked, options)).toHaveLength(1);
  });
});

describe('sql-non-transactional', () => {
  const script = 'create table a (id int);\ncreate index concurrently a_idx\n  on a (id);\n';

  test('refuses it in a transactional script, with the line', async () => {
    expect(await find('sql-non-transactional', { '1.sql': script })).toEqual([
      {
        code: 'sql-non-transactional',
        level: 'error',
        message: '1.sql:2 has "create index concurrently a_idx on a", which PostgreSQL refuses inside a transaction',
        remedy: 'Make `-- transaction: false` the first line of the file, and leave only this statement in it.',
        at: { migration: '1.sql', file: '1.sql', line: 2 },
      },
    ]);
  });
  test('finds nothing in a script that runs outside a transaction', async () => {
    expect(await find('sql-non-transactional', { '1.sql': `-- transaction: false\n${script}`, '2.sql': 'select 1' })).toEqual([]);
  });
});

describe('extension-unavailable', () => {
  const requiring = (...names: string[]) => `${up}${down}export const config = { requires: { extensions: ${JSON.stringify(names)} } };`;

  test('refuses what is neither installed nor available', async () => {
    expect(await find('extension-unavailable', { '1.js': requiring('plpgsql', 'no such thing'), '2.js': up + down })).toEqual([
      {
        code: 'extension-unavailable',
        level: 'error',
        message: '1.js requires the extension "no such thing", which is neither in this database nor available on the server',
        remedy: 'Install "no such thing" on the server; a managed service wants it allowed in its settings first.',
        at: { migration: '1.js', file: '1.js' },
      },
    ]);
  });
  test('finds nothing when it is there, though no longer available', async () => {
    const other = await createDatabase();
    await other.query(`update pg_extension set extname = 'gone' where extname = 'plpgsql'`);
    const pending = await load({ '1.js': requiring('gone') });
    expect(await findingsOf(other.url, 'extension-unavailable', { input: { pending } })).toEqual([]);
  });
  test('finds nothing when it is available', async () => {
    expect(await find('extension-unavailable', { '1.js': requiring('plpgsql') })).toEqual([]);
  });
});
