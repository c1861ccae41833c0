import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { isMigrationError } from '../../src/index.js';
import { runCode } from '../support/process.js';
import { makeScene, rowValue, untouched, type Hostile } from '../support/scene.js';

interface Row extends Hostile {
  /** The lines of the message; FILE is the migration's. */
  readonly lines: readonly string[];
}

const correct = 'Correct the migration and start the service again.';
const correctOrStamp = `${correct} Where somebody has made by hand what it makes: \`ensure-migrated stamp 0002_hostile.js\`, which proves that all of it is there.`;
const correctRows = 'Correct the rows that do not fit, or the migration, and start the service again.';
// Characters of two, three and four bytes before the place: the server counts characters, JavaScript UTF-16 units.
const wide = '-- ü € 😀😀😀😀😀😀😀😀\n';

const failing: Record<string, Row> = {
  'a statement of a .js file': {
    body: `\n  await knex('patients').insert({ name: '${rowValue}', email: 'ada@example.org' });`,
    lines: [
      'migration 0002_hostile.js failed at FILE:5: duplicate key value violates unique constraint "patients_email_key" (SQLSTATE 23505)',
      'statement: insert into "patients" ("email", "name") values ($1, $2)',
      'detail: Key (email)=(ada@example.org) already exists.',
      correctRows,
    ],
  },
  'the schema builder': {
    body: `await knex.schema\n    .createTable('visits', (table) => { table.increments(); })\n    .createTable('patients', (table) => { table.increments(); });`,
    lines: [
      'migration 0002_hostile.js failed at FILE:4: relation "patients" already exists (SQLSTATE 42P07)',
      'statement: create table "patients" ("id" serial primary key)',
      correctOrStamp,
    ],
  },
  'a function of the server, with its hint and where it was': {
    body: `await knex.raw("do 'begin perform no_such_function(1); end'");`,
    lines: [
      'migration 0002_hostile.js failed at FILE:4: function no_such_function(integer) does not exist (SQLSTATE 42883)',
      `statement: do 'begin perform no_such_function(1); end'`,
      'hint: No function matches the given name and argument types. You might need to add explicit type casts.',
      'where: PL/pgSQL function inline_code_block line 1 at PERFORM',
      correct,
    ],
  },
  'an error that the migration has wrapped': {
    body: `await knex.raw('select * from nowhere').catch((cause) => { throw new Error('the visits are not there yet', { cause }); });`,
    lines: [
      'migration 0002_hostile.js failed at FILE:4: the visits are not there yet: relation "nowhere" does not exist (SQLSTATE 42P01)',
      'statement: select * from nowhere',
      correct,
    ],
  },
  'a statement that must not run in a transaction': {
    body: `await knex.raw('create index concurrently log_name on log (name)');`,
    options: { rules: { 'concurrently-in-transaction': 'off' } }, // which says so before anything is sent
    lines: [
      'migration 0002_hostile.js failed at FILE:4: CREATE INDEX CONCURRENTLY cannot run inside a transaction block (SQLSTATE 25001)',
      'statement: create index concurrently log_name on log (name)',
      'Add `export const config = { transaction: false }` (in .sql: a first line `-- transaction: false`): this statement cannot run in a transaction.',
    ],
  },
  'a syntax error on line 7 of a .sql file': {
    extension: '.sql',
    text: `${wide}insert into log values ('0002');\n\ncreate table stray (id int);\n\n-- the next line is wrong\ninsert intoo stray values (1);\n`,
    lines: [
      'migration 0002_hostile.sql failed at FILE:7: syntax error at or near "intoo" (SQLSTATE 42601)',
      'statement: insert intoo stray values (1);',
      correct,
    ],
  },
  'the same with Windows line ends and a byte order mark': {
    extension: '.sql',
    text: `\uFEFFinsert into log values ('0002');\r\n\r\n\r\n\r\n\r\n\r\ninsert intoo log values ('x');\r\n`,
    lines: [
      'migration 0002_hostile.sql failed at FILE:7: syntax error at or near "intoo" (SQLSTATE 42601)',
      `statement: insert intoo log values ('x');`,
      correct,
    ],
  },
  'a name that is not there, on line 7': {
    extension: '.sql',
    text: `${wide}insert into log values ('0002');\n\ninsert into log\n\nselect name from\n  nowhere;\nselect 1;\n`,
    lines: [
      'migration 0002_hostile.sql failed at FILE:7: relation "nowhere" does not exist (SQLSTATE 42P01)',
      'statement: insert into log\n\nselect name from\n  nowhere',
      correct,
    ],
  },
  'a value that does not fit, for which the server gives no position': {
    extension: '.sql',
    text: `${wide}insert into log values ('0002');\ncreate table stray (id int primary key);\ninsert into stray values (1);\n\n\ninsert into stray values (1); -- again\n`,
    lines: [
      'migration 0002_hostile.sql failed at FILE:7: duplicate key value violates unique constraint "stray_pkey" (SQLSTATE 23505)',
      'statement: insert into stray values (1)',
      'detail: Key (id)=(1) already exists.',
      correctRows,
    ],
  },
};

describe('the error names the migration, the file and the line, the statement and all that the server said:', () => {
  test.each(Object.entries(failing))('%s', async (_title, row) => {
    const scene = await makeScene(row);
    const error = await scene.fail();
    expect(error.message.split('\n  ')).toEqual(row.lines.flatMap((line) => line.replace('FILE', scene.file).split('\n  ')));
    expect(error).toMatchObject({ code: 'EM_MIGRATION_FAILED', retryable: false, exitCode: 78, remedy: row.lines.at(-1) });
    expect(isMigrationError(error, 'EM_MIGRATION_FAILED')).toBe(true);
    expect(error.cause).toBeInstanceOf(Error);
    expect(await scene.aftermath()).toMatchObject({ ...untouched, owner: { state: 'failed' } });
    await scene.heal();
  });

  test('a statement outside a transaction, and not an equal one before it', async () => {
    const text = `-- transaction: false\n${wide}create table stray (id int primary key);\ninsert into stray values (1);\n\n\ninsert into stray values (1);\n`;
    const scene = await makeScene({ extension: '.sql', text });
    const error = await scene.fail();
    expect(error.message.split('\n  ')).toEqual([
      `migration 0002_hostile.sql failed at ${scene.file}:7: duplicate key value violates unique constraint "stray_pkey" (SQLSTATE 23505)`,
      'statement: insert into stray values (1)',
      'detail: Key (id)=(1) already exists.',
      'already done outside a transaction: create table stray; insert into stray',
      `Look at what it has left behind and record it as done or undone (docs/operations.md, "An unfinished migration"). ${correctRows}`,
    ]);
    await scene.undo('drop table stray');
    await scene.heal();
  });

  test('a script outside a transaction that cannot be parsed, before anything was changed', async () => {
    const scene = await makeScene({ extension: '.sql', text: `-- transaction: false\nselect 1;\n\n\n\n\nselect select;\n` });
    const error = await scene.fail();
    expect(error).toMatchObject({ code: 'EM_MIGRATION_INVALID', findings: [{ at: { file: scene.file, line: 7 } }] });
    expect(error.message).toContain(`${scene.file}:7`);
    expect(await scene.database.query(`select from pg_class where relnamespace = 'public'::regnamespace`)).toEqual([]);
    await scene.heal();
  });
});

describe('the journal and the log keep no value of a row:', () => {
  test.each([
    ['of a data exception', `await knex.raw('select ?::int', ['${rowValue}']);`, '22P02'],
    ['of a syntax error', `await knex.raw("insert into log values ('a' '${rowValue}')");`, '42601'],
    ['of what a function raises', `await knex.raw("do $$ begin raise exception 'no ${rowValue}'; end $$");`, 'P0001'],
    [
      'of what it raises under another code',
      `await knex.raw("do $$ begin raise exception 'no ${rowValue}' using errcode = '23505'; end $$");`,
      '23505',
    ],
    ['of what the migration throws', `throw new Error('no ${rowValue}');`, undefined],
  ])('%s', async (_what, body, sqlState) => {
    const scene = await makeScene({ body });
    const error = await scene.fail(); // looks at the events
    expect(error.message).toContain(rowValue);
    const { attempt } = await scene.aftermath(); // looks at the journal
    expect(attempt).toMatchObject({ status: 'failed', message: 'EM_MIGRATION_FAILED', ...(sqlState && { sqlState }) });
    expect(scene.events).toContainEqual(
      expect.objectContaining({
        event: 'step.failed',
        migration: '0002_hostile.js',
        code: 'EM_MIGRATION_FAILED',
        ...(sqlState && { sqlState }),
      }),
    );
  });
});

const secret = 'hunter2-secret';
const leaking: Record<string, Hostile> = {
  'in ALTER ROLE': { body: `await knex.raw("alter role no_such_role with password '${secret}'");` },
  'in a binding': { body: `await knex.raw('alter role no_such_role password ?', ['${secret}']);` },
  'in a .sql file': { extension: '.sql', text: `select 1;\ncreate role postgres login encrypted password '${secret}';\n` },
  'in a statement inside a string': {
    body: `await knex.raw("do $$ begin execute 'alter role no_such_role password ''${secret}'''; end $$");`,
  },
  'given to format()': {
    body: `await knex.raw("do $$ begin execute format('alter role no_such_role password %L', '${secret}'); end $$");`,
  },
  'between dollars': { body: `await knex.raw('alter role no_such_role password $pw$${secret}$pw$');` },
  'in the options of a user mapping': {
    body: `await knex.raw("create user mapping for public server nowhere options (user 'me', password '${secret}')");`,
  },
  'in a connection string that the migration throws': { body: `throw new Error('cannot reach postgres://me:${secret}@other/db');` },
  'in a connection string of libpq': { body: `throw new Error("cannot reach host=other password='${secret}' user=me");` },
};

describe('a password never gets out:', () => {
  test.each(Object.entries(leaking))('%s', async (_where, hostile) => {
    const scene = await makeScene(hostile);
    const error = await scene.fail();
    expect(error, error.message).toMatchObject({ code: 'EM_MIGRATION_FAILED' });
    expect(error.message).toMatch(/\*\*\*|\$1/);
    const everything = [inspect(error, { depth: 20, showHidden: true }), error.stack, scene.events, await scene.aftermath()];
    expect(JSON.stringify(everything)).not.toContain(secret);
    expect(JSON.stringify(await scene.database.query('select * from knex_migrations_journal'))).not.toContain(secret);
  });

  test('not into the output of a process that prints the error, nor into its log', async () => {
    const scene = await makeScene({ body: `await knex.raw("alter role no_such_role with password '${secret}'");` });
    const { password } = new URL(scene.database.url);
    const code = `import { ensureMigrated } from 'ensure-migrated'; await ensureMigrated({ migrations: ${JSON.stringify(scene.directory)} }).catch(console.error);`;
    const { stdout, stderr } = await runCode(code, { env: { DATABASE_URL: scene.database.url } });
    expect(stderr).toContain(`statement: alter role no_such_role with password '***'`);
    expect(stdout).toContain('step.failed');
    for (const text of [stdout, stderr]) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(password);
    }
  });
});
