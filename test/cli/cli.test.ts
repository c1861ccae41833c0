import { rmdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { verbs } from '../../src/cli/commands.js';
import { poll, waitUntilRuns } from '../support/boot.js';
import { runCli, runCliHere, startCli } from '../support/cli.js';
import { makeDirectory } from '../support/directories.js';
import { atBase, atHead, contentsOf, makeProject, names } from '../commands/fixture.js';

/** A project, and the command line in it: in this process, and in one of its own. */
async function makeCli(files?: Readonly<Record<string, string | undefined>>) {
  const { database, directory } = await makeProject(files);
  const env = { DATABASE_URL: database.url, NODE_ENV: 'production' };
  const where = ['--connection', database.url, '--migrations', directory, '--env', 'production'];
  const run = async (...args: string[]) => await runCliHere([...args, ...where]);
  const runChild = async (...args: string[]) => await runCli([...args, '--migrations', directory], { env });
  return { database, directory, env, where, run, runChild };
}

describe('the verbs', () => {
  test('go up, tell where the database stands, and go down again', async () => {
    const { database, directory, runChild: run } = await makeCli();
    expect(await run('current')).toMatchObject({ code: 0, stdout: 'base (4 pending)\n' });
    const upgraded = await run('upgrade', '+3');
    expect(upgraded).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Applied: 3, in \d+ ms\.\nThe database was at base and is at 03_index\.js now\.\n$/) as string,
    });
    expect(upgraded.stderr).toMatch(/^1\/3 01_orders\.js\n1\/3 01_orders\.js applied in \d+ ms\n2\/3/);
    // The command says again where, or it would be about another project.
    const again = expect.stringContaining(`$ ensure-migrated upgrade --migrations ${directory}\n`) as string;
    expect(await run('status')).toMatchObject({ code: 78, stdout: again });
    expect(await run('upgrade')).toMatchObject({ code: 0 });
    expect(await run('current')).toMatchObject({ code: 0, stdout: `${names[3]} (head)\n` });
    expect(await run('status')).toMatchObject({ code: 0, stdout: expect.stringContaining('in sync: at 04_notes.up.sql (head)') as string });
    expect(await run('downgrade', '-1', '--yes')).toMatchObject({ code: 0, stdout: expect.stringContaining('Taken back: 1') as string });
    expect(await run('downgrade', 'base', '--yes')).toMatchObject({ code: 0 });
    expect(await contentsOf(database)).toEqual(atBase);
    expect(await run('upgrade', 'head')).toMatchObject({ code: 0 });
    expect(await contentsOf(database)).toEqual(atHead);
  });

  test('print tables that fit into the columns of a terminal, with whole names where there is none, and all of it with --verbose', async () => {
    const long = '05_what_the_accounts_of_the_patients_of_all_clinics_have_been_since_then.sql';
    const { run, where } = await makeCli({ [long]: 'select 1;' });
    await run('upgrade', '+2');
    const { stdout } = await run('history');
    expect(stdout.split('\n').map((line) => line.split(/\s{2,}/)[1])).toEqual([
      'status',
      'applied',
      'applied',
      'pending',
      'pending',
      'pending',
      undefined,
    ]);
    expect(stdout).toContain(`${long}  pending`);
    const cut = (await runCliHere(['history', ...where], 80)).stdout.split('\n');
    expect(Math.max(...cut.map(({ length }) => length))).toBe(80);
    expect(cut).toContainEqual(expect.stringMatching(/^05_what_.+\.\.\. {2}pending$/));
    expect((await run('history', '--verbose')).stdout).toMatch(/02_total\.js +applied .* run +same +may run/);
    expect(stdout).not.toContain('\u001b');
  });

  test('print JSON, errors too, with nothing else on stdout', async () => {
    const { run } = await makeCli();
    expect(JSON.parse((await run('upgrade', '--json')).stdout)).toMatchObject({ status: 'migrated', to: names[3] });
    expect(JSON.parse((await run('status', '--json')).stdout)).toMatchObject({ inSync: true, pending: [] });
    const failed = await run('upgrade', 'nonsense', '--json');
    expect(failed.code).toBe(78);
    expect(JSON.parse(failed.stdout)).toMatchObject({ error: { code: 'EM_PLAN_REFUSED', remedy: expect.any(String) as string } });
  });

  test('tell what nobody has foreseen as an error, too, as text and as JSON', async () => {
    const [before, gone] = [process.cwd(), await makeDirectory({})];
    process.chdir(gone);
    rmdirSync(gone);
    try {
      const { code, stdout, stderr } = await runCliHere(['status']);
      expect([code, stdout, stderr]).toEqual([78, '', expect.stringMatching(/^EM_INTERNAL: ENOENT.*cwd.*\n {2}Report this/) as string]);
      const printed = await runCliHere(['status', '--json']);
      expect(printed.code).toBe(78);
      expect(JSON.parse(printed.stdout)).toMatchObject({ error: { code: 'EM_INTERNAL' } });
    } finally {
      process.chdir(before);
    }
  });

  test('write a script with nothing else on stdout, and show a plan', async () => {
    const { run } = await makeCli();
    const { code, stdout } = await run('script', 'orders:');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^-- Upgrade from 01_orders\.js to 04_notes\.up\.sql: 3 migrations [^]+\\gset\n$/);
    expect((await run('plan', '+1')).stdout).toMatch(
      /is at base\. An upgrade would run 1 migration and end at 01_orders\.js\.\n\n1\. 01_orders\.js\n {3}create table "orders"/,
    );
    expect(JSON.parse((await run('plan', '--json')).stdout)).toMatchObject({ steps: { length: 4 } });
    expect(await run('script', 'nonsense')).toMatchObject({ code: 78, stdout: '' });
  });

  test('do not ask where nobody sits at a terminal: the downgrade is refused', async () => {
    const { database, run } = await makeCli();
    await run('upgrade');
    const refused = await run('downgrade', '-1');
    expect(refused).toMatchObject({ code: 78, stdout: '' });
    expect(refused.stderr).toMatch(/^EM_NOT_CONFIRMED: nobody has confirmed that 04_notes\.up\.sql [^\n]+\n.*--yes/);
    expect(await contentsOf(database)).toEqual(atHead);
  });

  test('refuse steps in the direction of the other verb, and names that are empty', async () => {
    const { run } = await makeCli({ [names[1]]: undefined, [names[2]]: undefined, [names[3]]: undefined, '04_notes.down.sql': undefined });
    for (const args of [
      ['upgrade', '-1'],
      ['plan', '-1'],
      ['upgrade', ''],
      ['stamp', ''],
    ]) {
      expect(await run(...args)).toMatchObject({ code: 78, stdout: '', stderr: expect.stringMatching(/^EM_PLAN_REFUSED: /) as string });
    }
    expect(await run('current')).toMatchObject({ stdout: 'base (1 pending)\n' });
    await run('upgrade');
    for (const target of ['+1', '']) expect(await run('downgrade', target, '--yes')).toMatchObject({ code: 78, stdout: '' });
    expect(await run('current')).toMatchObject({ stdout: `${names[0]} (head)\n` });
  });

  test('end well where nobody reads what they tell', async () => {
    const { database, directory, env } = await makeCli();
    const script = startCli(['upgrade', '--migrations', directory], { env, reads: 'nobody' });
    expect((await script.ended).code).toBe(0);
    expect(await contentsOf(database)).toEqual(atHead);
  });

  test('tell the version', async () => {
    const { version } = createRequire(import.meta.url)('../../package.json') as { version: string };
    expect(await runCli(['--version'])).toMatchObject({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test.each(verbs.map(({ name }) => name))('%s explains itself with an example', async (name) => {
    const { code, stdout } = await runCliHere([name, '--help']);
    expect(code).toBe(0);
    expect(stdout).toContain(`Examples:\n  ensure-migrated ${name}`);
  });
});

describe('what makes no sense ends with 78 and says what would', () => {
  test.each([
    [['upgarde'], /Did you mean upgrade\?/],
    [['upgrade', '--jsn'], /Did you mean --json\?/],
    [['upgrade', 'one', 'two'], /too many arguments/],
    [
      ['downgrade'],
      /missing required argument 'target'\n\(As in: ensure-migrated downgrade -1\. ensure-migrated downgrade --help explains it\)/,
    ],
    [['migrate'], /unknown command 'migrate'\n\(Here that is: ensure-migrated upgrade\)/],
    [['heads', '--verbose'], /unknown command 'heads'\n\(Here that is: ensure-migrated current\)/],
    [['rollback', '1'], /Here that is: ensure-migrated downgrade -1/],
    [[], /Usage: ensure-migrated/],
  ])('%j', async (args, says) => {
    const { code, stdout, stderr } = await runCliHere(args);
    expect(code).toBe(78);
    expect(stdout).toBe('');
    expect(stderr).toMatch(says);
  });

  test('a flag without its value, which would mean another database', async () => {
    const { directory, env } = await makeCli();
    for (const flag of ['--connection', '--migrations', '--config', '--env']) {
      const { code, stderr } = await runCli(['upgrade', flag, ''], { env, cwd: directory });
      expect({ code, stderr }).toMatchObject({ code: 78, stderr: expect.stringMatching(`^EM_CONFIG_INVALID: ${flag} is empty`) as string });
    }
  });

  test('a range with two colons', async () => {
    const { run } = await makeCli();
    for (const range of ['01:02:03', '::']) expect(await run('history', range)).toMatchObject({ code: 78, stdout: '' });
  });

  test('a connection that is none, in one sentence without its password', async () => {
    const { code, stderr } = await runCli(['status', '--connection', 'nonsense://me:hunter2@here/there']);
    expect(code).toBe(78);
    expect(stderr).toMatch(/^EM_CONFIG_INVALID: /);
    expect(stderr).not.toContain('hunter2');
  });

  test('a server that is not there is waited for, which is told on stderr', async () => {
    const { directory } = await makeCli();
    const script = startCli(['current', '--migrations', directory], { env: { PGHOST: '127.0.0.1', PGPORT: '1' } });
    await poll(() => Promise.resolve(script.stderr.includes('waiting for the server: ') || undefined));
    expect((await script.kill()).stdout).toBe('');
  });
});

test('SIGTERM in the middle of an upgrade rolls back, and ends the process by that signal', async () => {
  const slow = `export const up = async (knex) => { await knex.schema.createTable('half', (t) => t.integer('id')); await knex.raw('select pg_sleep(300)'); };
    export const down = async () => undefined;`;
  const { database, directory, env } = await makeCli({ '05_slow.js': slow });
  const script = startCli(['upgrade', '--migrations', directory], { env });
  await waitUntilRuns(database, 'pg_sleep');
  script.signal('SIGTERM');
  expect(await script.ended).toMatchObject({ signal: 'SIGTERM' });
  expect(await contentsOf(database)).toEqual(atHead);
  expect(await database.query(`select to_regclass('half') as half`)).toEqual([{ half: null }]);
});

test('the configuration file of the working directory is read, below the environment and the flags', async () => {
  const { database, directory } = await makeCli();
  const project = await makeDirectory({
    'ensure-migrated.config.mjs': `export default { connection: 'postgres://nobody@127.0.0.1:1/nothing', migrations: { directory: ${JSON.stringify(directory)}, tableName: 'moved' } };`,
  });
  expect(await runCli(['upgrade'], { cwd: project, env: { DATABASE_URL: database.url } })).toMatchObject({ code: 0 });
  expect(await database.query('select count(*)::int as count from moved')).toEqual([{ count: 4 }]);
  const broken = await makeDirectory({ 'other.mjs': 'export default 7;' });
  const { code, stderr } = await runCli(['upgrade', '--config', 'other.mjs'], { cwd: broken });
  expect(code).toBe(78);
  expect(stderr).toMatch(/^EM_CONFIG_INVALID: .*other\.mjs: it should export an object/);
});
