import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { runCliHere, startCli } from '../support/cli.js';
import { makeInstalled } from '../support/directories.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
  await database.query('create table gate as select 0.03 as s');
});

/** As long as the table says, each batch takes. */
const slow = `set: 'v = v + 1 + length((select pg_sleep(s) from gate)::text)', batchSize: 10, targetMs: 20`;
const poisoned = `set: 'v = v + 1 + 0 / (id - 321)::int'`;
let number = 0;

/** A table of 500 rows, a migration that has enqueued a backfill over it, and the command line in that directory. */
async function makeCli(change = `set: 'v = v + 1'`) {
  const name = `b${++number}`;
  const migration = (how: string) => `import { backfill } from 'ensure-migrated';
    export const backfills = { ${name}: { table: '${name}', ${how} } };
    export const up = async (knex) => {
      await knex.raw('create table ${name} (id bigint primary key, v int not null default 0)');
      await knex.raw('insert into ${name} select i from generate_series(1, 500) i');
      await backfill.enqueue(knex, '${name}');
    };
    export const down = async () => undefined;`;
  const cwd = await makeInstalled({
    'package.json': '{ "type": "module" }',
    [`migrations/${name}.js`]: migration(change),
    'ensure-migrated.config.js': `export default { migrations: { tableName: 'k${number}' }, rules: { 'history-unmanaged': 'off', 'schema-drift': 'off', 'history-edited': 'off' } };`,
  });
  const env = { DATABASE_URL: database.url, NODE_ENV: 'production' };
  const run = async (...args: string[]) => await runHere(['backfill', ...args], cwd);
  const start = (...args: string[]) => startCli(['backfill', ...args], { cwd, env });
  const rewrite = async (how: string) => await writeFile(path.join(cwd, `migrations/${name}.js`), migration(how));
  const counted = async () => await database.query(`select v, count(*)::int as n from ${name} group by v order by v`);
  expect(await run('list')).toMatchObject({ code: 0, stdout: 'No backfills.\n' });
  expect(await runHere(['upgrade'], cwd)).toMatchObject({ code: 0 });
  return { name, run, start, rewrite, counted };
}

/** Runs a command line in this process. */
async function runHere(args: readonly string[], directory: string) {
  const where = ['-c', path.join(directory, 'ensure-migrated.config.js'), '--migrations', path.join(directory, 'migrations')];
  return await runCliHere([...args, '--connection', database.url, ...where]);
}

const linesOf = (stdout: string) =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/\s{2,}/));

describe('backfill', () => {
  test('run makes all of it, list tells what it has come to, as text and as JSON', async () => {
    const { name, run, counted } = await makeCli();
    expect(linesOf((await run('list')).stdout)).toEqual([
      ['backfill', 'status', 'changed'],
      [name, 'queued', '0'],
    ]);
    const ran = await run('run', name);
    expect(ran).toMatchObject({ code: 0, stderr: `${name} is done\n` });
    expect(linesOf(ran.stdout)).toEqual([
      ['backfill', 'status', 'changed', 'done'],
      [name, 'done', '500', '100 %'],
    ]);
    expect(JSON.parse((await run('list', '--json')).stdout)).toMatchObject([{ name, status: 'done', changedCount: 500 }]);
    expect(await counted()).toEqual([{ v: 1, n: 500 }]);
  });

  test('run tells where it failed, with the command that goes on, which does once it is mended', async () => {
    const { name, run, start, rewrite, counted } = await makeCli(poisoned);
    const failed = await run('run');
    expect(failed.code).toBe(78);
    expect(failed.stdout).toContain(
      `${name}: the server refused a value (22012), at the row with the key (321)\n    $ ensure-migrated backfill retry ${name}`,
    );
    await rewrite(`set: 'v = v + 1'`); // which a process of its own imports anew
    const refused = await start('retry', name).ended;
    expect(refused).toMatchObject({ code: 78, stdout: '', stderr: expect.stringContaining('with --accept-changed') as string });
    const accepted = await start('retry', name, '--accept-changed').ended;
    expect(accepted).toMatchObject({ code: 0, stdout: expect.stringContaining('running') as string });
    expect(await start('run').ended).toMatchObject({ code: 0 });
    expect(await counted()).toEqual([{ v: 1, n: 500 }]);
  });

  test('list --aside shows the keys of rows that were set aside, and no other value; retry --aside tries them', async () => {
    const { name, run, counted } = await makeCli(`${poisoned}, onBadRow: 'set-aside'`);
    expect(await run('run')).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`${name}: the row with the key (321) is set aside`) as string,
    });
    const all = ['backfill', 'status', 'changed', 'done', 'aside'];
    expect(linesOf((await run('list')).stdout)).toEqual([all, [name, 'done', '499', '100 %', '1']]);
    expect(linesOf((await run('list', name, '--aside')).stdout)).toEqual([
      ['backfill', 'key', 'code', 'reason'],
      [name, '321', '22012', 'the server refused a value'],
    ]);
    await database.query(`delete from ${name} where id = 321`); // nobody needs it
    expect(await run('retry', name, '--aside')).toMatchObject({ code: 0 });
    expect(await run('list', '--aside')).toMatchObject({ code: 0, stdout: 'No row is set aside.\n' });
    expect(await counted()).toEqual([{ v: 1, n: 499 }]);
  });

  test('pause ends the run of another process, which then ends with 78; resume and run do the rest', async () => {
    const { run, start, counted } = await makeCli(slow);
    await database.query('update gate set s = 0.03');
    const working = start('run');
    await expect.poll(async () => (await counted()).length, { timeout: 20_000 }).toBe(2);
    const resume = expect.stringMatching(/is paused\n {4}\$ ensure-migrated backfill resume \w+( --migrations .+)?\n$/) as string;
    expect(await run('pause')).toMatchObject({ code: 0, stdout: resume });
    const atReturn = await counted();
    expect(await working.ended).toMatchObject({ code: 78, stdout: resume });
    expect(await counted()).toEqual(atReturn);
    expect(await run('resume')).toMatchObject({ code: 0, stdout: expect.stringContaining('running') as string });
    await database.query('update gate set s = 0');
    expect(await run('run')).toMatchObject({ code: 0 });
    expect(await counted()).toEqual([{ v: 1, n: 500 }]);
  });

  test.each(['SIGTERM', 'SIGINT'] as const)(
    'run told to stop by %s says how far it came, and the next one goes on there',
    async (signal) => {
      const { name, run, start, counted } = await makeCli(slow);
      await database.query('update gate set s = 0.03');
      const working = start('run');
      await expect.poll(async () => (await counted()).length, { timeout: 20_000 }).toBe(2);
      working.signal(signal);
      const ended = await working.ended;
      expect(ended).toMatchObject({ signal, stdout: '' }); // a shell says 143, or 130
      const [told, count] = new RegExp(`^stopped: ${name} (\\d+) changed`, 'm').exec(ended.stderr) ?? [];
      expect(told).toBeDefined();
      expect(await counted()).toEqual([
        { v: 0, n: 500 - Number(count) },
        { v: 1, n: Number(count) },
      ]);
      await database.query('update gate set s = 0');
      expect(await run('run')).toMatchObject({ code: 0 });
      expect(await counted()).toEqual([{ v: 1, n: 500 }]);
    },
  );

  test('cancel is for good: run ends with 78 where that one is asked for, with 0 where it is one of all', async () => {
    const { name, run, counted } = await makeCli();
    expect(await run('cancel')).toMatchObject({
      code: 78,
      stderr: expect.stringMatching(/^EM_CONFIG_INVALID: cancel: expected the names/) as string,
    });
    expect(await run('cancel', name)).toMatchObject({ code: 0, stdout: expect.stringContaining('cancelled') as string });
    expect(await run('run', name)).toMatchObject({ code: 78 });
    await database.query('update gate set s = 0');
    expect(await run('run')).toMatchObject({ code: 0 });
    expect(await counted()).toEqual([{ v: 0, n: 500 }]);
  });

  test.each<[string[], RegExp]>([
    [['halt'], /^EM_CONFIG_INVALID: action: expected one of list, run, .*; got 'halt'/],
    [['pause', '--from-start'], /^EM_CONFIG_INVALID: --from-start: expected with retry only; got it with pause/],
    [['retry', 'b0'], /^EM_BACKFILL_UNKNOWN: no backfill of the name "b0".*; did you mean "b\d+"\?/],
  ])('%j ends with 78 and one error, and changes nothing', async (args, says) => {
    const { run, counted } = await makeCli();
    expect(await run(...args)).toMatchObject({ code: 78, stdout: '', stderr: expect.stringMatching(says) as string });
    expect(await counted()).toEqual([{ v: 0, n: 500 }]);
    expect((await run('list')).stdout).toContain('queued');
  });
});
