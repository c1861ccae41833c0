import { describe, expect, test } from 'vitest';
import { findNonTransactional, findTransactionControl, lineAt, splitSql } from '../../src/source/index.js';
import { refusalOf } from './fixture.js';

const script = (text: string) => ({ file: '/app/migrations/0001_a.sql', text });

describe('a script is split', () => {
  test.each([
    ['at semicolons', 'select 1;select 2', ['select 1', 'select 2']],
    ['with and without a last semicolon', 'select 1;\nselect 2;\n', ['select 1', 'select 2']],
    [
      'without the comments between statements',
      '-- one;\nselect 1; -- after\n/* two; */ select 2 /* in */ + 2',
      ['select 1', 'select 2 /* in */ + 2'],
    ],
    ['leaving out empty statements', ';;select 1;;  ;', ['select 1']],
    [
      'not inside literals',
      `select ';'; select E'\\';'; select $$;$$, $a$;$a$; select "a;b" from t`,
      ["select ';'", "select E'\\';'", 'select $$;$$, $a$;$a$', 'select "a;b" from t'],
    ],
    [
      'not inside bodies',
      'create function f() returns int language sql begin atomic; select 1; end; select 2',
      ['create function f() returns int language sql begin atomic; select 1; end', 'select 2'],
    ],
    ['into nothing when there is nothing', ' \n ', []],
    ['into nothing when there are comments only', '-- select 1;\n/* select 2; */', []],
    ['behind characters of several bytes', "select 'é€😀';\n-- ü\nselect 'ß'", ["select 'é€😀'", "select 'ß'"]],
    ['with CRLF line ends', 'select 1;\r\nselect\r\n2;\r\n', ['select 1', 'select\r\n2']],
  ])('%s', async (_how, text, statements) => {
    expect((await splitSql(script(text))).map((statement) => statement.text)).toEqual(statements);
  });

  test('with offsets that turn a position of the server into a line of the file', async () => {
    const text = "-- ü\nselect '😀😀';\n\n-- é\nselect\n  wrong;";
    const [first, second] = await splitSql(script(text));
    expect([first?.offset, second?.offset]).toEqual([5, 24]);
    expect([...text].slice(24, 30).join('')).toBe('select');
    expect(lineAt(text, (first?.offset ?? 0) + 1)).toBe(2);
    expect(lineAt(text, (second?.offset ?? 0) + 10)).toBe(6); // `wrong` stands at position 10 of its statement
  });

  test.each([
    ['select 1;\n\nselec 2;', 3, 'it cannot be split into statements: syntax error at or near "selec".'],
    ["select 'é';\nselect 'open;\n\n", 2, 'it cannot be split into statements: unterminated quoted string at or near "\'open;\n\n".'],
    ['create table t (\n  a int,\n', 3, 'it cannot be split into statements: syntax error at end of input.'],
  ])('%j is refused with its line', async (text, line, message) => {
    const error = await refusalOf(splitSql(script(text)));
    expect(error.code).toBe('EM_MIGRATION_INVALID');
    expect(error.findings).toMatchObject([
      { code: 'migration-syntax', level: 'error', message, at: { migration: '0001_a.sql', file: '/app/migrations/0001_a.sql', line } },
    ]);
    expect(error.message).toContain(`/app/migrations/0001_a.sql:${line}: it cannot be split`);
  });
});

describe('transaction control is found', () => {
  test.each([
    ['begin', 1, 'begin'],
    ['BEGIN WORK', 1, 'begin work'],
    ['select 1;\nstart transaction read only;', 2, 'start transaction read only'],
    ['select 1; commit', 1, 'commit'],
    ['select 1;\n\ncommit and chain;', 3, 'commit and chain'],
    ['select 1;end', 1, 'end'],
    ['select 1;/* so */rollback', 1, 'rollback'],
    ['-- so\rabort', 1, 'abort'],
    ["-- so\n\n  -- it goes\nprepare transaction 'secret'", 4, 'prepare transaction'],
    ["commit prepared 'secret'", 1, 'commit prepared'],
    ["rollback prepared 'secret'", 1, 'rollback prepared'],
    ["select 'é';\n\nselect ';'; COMMIT;", 3, 'commit'],
  ])('%j in line %i: %s', async (text, line, statement) => {
    expect(await findTransactionControl(script(text))).toEqual({ line, statement });
  });

  test.each([
    'savepoint a; rollback to savepoint a; release savepoint a',
    'select 1',
    "select '; commit'",
    'create function f() returns trigger language plpgsql as $$\nbegin\n  return new;\nend;\n$$',
    'do $$ begin perform 1; commit; end $$',
    'select case when true then 1\nend',
    'create function f() returns int language sql begin atomic; select 1; end',
    'prepare p as select 1; deallocate p',
    'create table t ("commit" text, "end" int)',
    'set transaction isolation level serializable',
    '-- begin;\n/* ; commit */ select 1',
    'select 1;; begin unparsable nonsense', // the server decides
    '',
  ])('not in %j', async (text) => {
    expect(await findTransactionControl(script(text))).toBeUndefined();
  });
});

describe('what cannot run in a transaction is found', () => {
  test.each([
    ['create index concurrently t_a_idx on t (a)', 'create index concurrently t_a_idx on t'],
    ['create unique index concurrently if not exists t_a_idx on s.t (a)', 'create unique index concurrently if not exists t_a_idx on s.t'],
    ['drop index concurrently s.t_a_idx', 'drop index concurrently s.t_a_idx'],
    ['reindex index concurrently t_a_idx', 'reindex index concurrently t_a_idx'],
    ['reindex (concurrently) table t', 'reindex'],
    ['reindex schema s', 'reindex schema s'],
    ['reindex database', 'reindex database'],
    ['vacuum t', 'vacuum t'],
    ['vacuum (analyze) t', 'vacuum'],
    ['cluster', 'cluster'],
    ['create database d', 'create database d'],
    ['drop database d', 'drop database d'],
    ['alter database d set tablespace t', 'alter database d set tablespace t'],
    ["alter system set work_mem = '1GB'", 'alter system set work_mem'],
    ["create tablespace t location '/secret'", 'create tablespace t location'],
    ['drop tablespace t', 'drop tablespace t'],
    ['alter table t detach partition p concurrently', 'alter table t detach partition p concurrently'],
    ['discard all', 'discard all'],
  ])('%s', async (text, statement) => {
    expect(await findNonTransactional(script(`select 1;\n${text};`))).toEqual({ line: 2, statement });
  });

  test.each([
    'create index t_a_idx on t (a)',
    'drop index t_a_idx',
    'reindex table t',
    'analyze t -- and no vacuum',
    'cluster t using t_a_idx',
    'refresh materialized view concurrently m',
    'alter table t detach partition p',
    'alter table t set tablespace s',
    "alter database d set work_mem = '1MB'",
    'discard plans',
    "comment on table t is 'vacuum it; create index concurrently'",
    'create index concurrently of nonsense', // the server decides
  ])('not in %s', async (text) => {
    expect(await findNonTransactional(script(text))).toBeUndefined();
  });
});
