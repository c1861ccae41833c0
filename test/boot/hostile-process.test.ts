import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ensureMigrated, type Options } from '../../src/index.js';
import { makeDirectory } from '../support/directories.js';
import { runCode, type Exit } from '../support/process.js';
import { failureOf, makeScene, untouched } from '../support/scene.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

// A service as anybody writes it: the default logger, and what it does with an error.
const service = `
  import { ensureMigrated } from 'ensure-migrated';
  await ensureMigrated({ migrations: process.env.MIGRATIONS }).then(() => console.log('ready'), (error) => {
    console.error(error);
    process.exitCode = error.exitCode;
  });`;

async function serve(database: TestDatabase, directory: string): Promise<Exit> {
  return await runCode(service, { env: { DATABASE_URL: database.url, MIGRATIONS: directory } });
}

function eventsOf({ stdout }: Exit): Record<string, unknown>[] {
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('a migration that ends the process', () => {
  test.each([
    ['with process.exit(0)', 'process.exit(0);'],
    ['by a promise that it forgot and that is rejected', `Promise.reject(new Error('forgotten')); await knex.raw('select pg_sleep(20)');`],
  ])('%s ends it with our exit code and is named, and the next boot heals', async (_how, body) => {
    const scene = await makeScene({ body, capture: false });
    const exit = await serve(scene.database, scene.directory);
    expect(exit, exit.stderr).toMatchObject({ code: 78, signal: null });
    expect(exit.stdout).not.toContain('ready');
    expect(eventsOf(exit), `${exit.stdout}${exit.stderr}`).toContainEqual(
      expect.objectContaining({ event: 'step.exited', migrations: ['0002_hostile.js'], exitCode: 78 }),
    );
    expect(await scene.aftermath()).toMatchObject({ ...untouched, isLocked: [1], owner: { state: 'active' }, attempt: undefined });
    await scene.heal();
  });

  test('when it is asked what it would send, ends it with our exit code too, before anything was changed', async () => {
    const scene = await makeScene({ body: 'process.exit(0);' });
    const exit = await serve(scene.database, scene.directory);
    expect(exit, exit.stderr).toMatchObject({ code: 78 });
    expect(eventsOf(exit)).toContainEqual(expect.objectContaining({ event: 'step.exited', exitCode: 78 }));
    expect(await tablesOf(scene.database)).toEqual([]);
    await scene.heal();
  });

  test('while it is loaded ends it with our exit code too, before anything was changed', async () => {
    const database = await createDatabase();
    const directory = await migrationsOf({ '0001_exit.mjs': 'process.exit(0);\nexport function up() {}\nexport function down() {}\n' });
    const exit = await serve(database, directory);
    expect(exit, exit.stderr).toMatchObject({ code: 78 });
    expect(eventsOf(exit)).toContainEqual(
      expect.objectContaining({ event: 'step.exited', migrations: ['0000_good.cjs', '0001_exit.mjs'] }),
    );
    expect(await tablesOf(database)).toEqual([]);
  });
});

const good = 'exports.up = async (knex) => { await knex.raw("create table good (id int)"); };\nexports.down = async () => undefined;\n';

async function migrationsOf(files: Readonly<Record<string, string>>): Promise<string> {
  return await makeDirectory({ '0000_good.cjs': good, ...files });
}

async function tablesOf(database: TestDatabase): Promise<unknown[]> {
  return await database.query(`select relname from pg_class where relnamespace = 'public'::regnamespace`);
}

interface Unusable {
  readonly files: Readonly<Record<string, string>>;
  readonly finding: string;
  readonly says: string | RegExp;
}

const unusable: Record<string, Unusable> = {
  'throws while it is loaded': {
    files: { '0001_bad.mjs': `\nthrow new Error('not today');` },
    finding: 'migration-load',
    says: '0001_bad.mjs:2: it cannot be loaded: not today',
  },
  'imports what is not installed': {
    files: { '0001_bad.mjs': `import 'no-such-package-here';\nexport function up() {}` },
    finding: 'migration-load',
    says: /Cannot find package 'no-such-package-here'/,
  },
  'is empty': { files: { '0001_bad.mjs': '' }, finding: 'migration-shape', says: /it exports nothing/ },
  'has no up': {
    files: { '0001_bad.mjs': 'export function down() {}' },
    finding: 'migration-shape',
    says: /it exports no function up, only down/,
  },
  'has an up that is no function': {
    files: { '0001_bad.mjs': 'export const up = 1;' },
    finding: 'migration-shape',
    says: /no function up, only up/,
  },
  'has a config of the wrong type': {
    files: { '0001_bad.mjs': `export const config = { transaction: 'no' }; export function up() {}` },
    finding: 'migration-config',
    says: /config.transaction is neither true nor false/,
  },
  'has the name of another': {
    files: { '0001_bad.mjs': 'export function up() {}', '0001_bad.cjs': good },
    finding: 'migration-duplicate',
    says: /it is the same migration as .*0001_bad.cjs: names compare without their extension/,
  },
  'is no text': { files: { '0001_bad.sql': 'select 1;\0' }, finding: 'migration-unreadable', says: /it is not UTF-8 text/ },
};

describe('refused before anything was changed, and mended by mending the file: a migration that', () => {
  test.each(Object.entries(unusable))('%s', async (_title, { files, finding, says }) => {
    const database = await createDatabase();
    const boot = async (migrations: string, options: Options = {}) =>
      await ensureMigrated({ connection: database.url, migrations, logger: false, ...options });
    const error = await failureOf(boot(await migrationsOf(files)));
    expect(error, error.message).toMatchObject({ code: 'EM_MIGRATION_INVALID', findings: [{ code: finding, level: 'error' }] });
    if (typeof says === 'string') expect(error.message).toContain(says);
    else expect(error.message).toMatch(says);
    expect(await tablesOf(database)).toEqual([]);

    const mended = await migrationsOf({ '0001_bad.cjs': good.replace('good', 'mended') });
    expect(await boot(mended)).toMatchObject({ status: 'migrated', applied: [{ name: '0000_good.cjs' }, { name: '0001_bad.cjs' }] });
    expect((await boot(mended)).status).toBe('in-sync');
  });

  // In a process of its own: the test runner would parse them before Node does.
  test.each([
    ['is not JavaScript', '0001_bad.mjs', 'this is no module', /0001_bad.mjs: it cannot be loaded: Unexpected identifier/],
    [
      'has a syntax error on line 3',
      '0001_bad.cjs',
      'exports.down = 1;\n\nexports.up = async () => { await };\n',
      /0001_bad.cjs:3: it cannot be loaded: /,
    ],
  ])('%s', async (_title, name, text, says) => {
    const database = await createDatabase();
    const exit = await serve(database, await migrationsOf({ [name]: text }));
    expect(exit, exit.stderr).toMatchObject({ code: 78 });
    expect(exit.stderr).toContain(`code: 'EM_MIGRATION_INVALID'`);
    expect(exit.stderr).toMatch(says);
    expect(await tablesOf(database)).toEqual([]);
    expect(await serve(database, await migrationsOf({}))).toMatchObject({ code: 0, stdout: expect.stringContaining('ready') as string });
  });

  test('stands in two directories under one name', async () => {
    const database = await createDatabase();
    const directory = await makeDirectory({ 'one/0001_same.cjs': good, 'two/0001_same.cjs': good });
    const migrations = ['one', 'two'].map((name) => path.join(directory, name));
    const error = await failureOf(ensureMigrated({ connection: database.url, migrations, logger: false }));
    expect(error).toMatchObject({
      code: 'EM_MIGRATION_INVALID',
      findings: [{ code: 'migration-duplicate', at: { migration: '0001_same.cjs' } }],
    });
    expect(error.message).toContain(path.join(directory, 'one/0001_same.cjs'));
    expect(await tablesOf(database)).toEqual([]);
  });
});

test('a migration that has no down is applied, with a warning', async () => {
  const database = await createDatabase();
  const directory = await makeDirectory({
    '0001_up.cjs': 'exports.up = async (knex) => { await knex.raw("create table good (id int)"); };',
  });
  const warned: unknown[] = [];
  const onProgress: Options['onProgress'] = (event) => event.event === 'check.finding' && warned.push(event);
  const outcome = await ensureMigrated({ connection: database.url, migrations: directory, logger: false, onProgress });
  const finding = { code: 'migration-no-down', level: 'warn', at: { migration: '0001_up.cjs' } };
  expect(outcome).toMatchObject({ status: 'migrated', applied: [{ name: '0001_up.cjs' }], findings: [finding] });
  expect(warned).toMatchObject([finding]);
});
