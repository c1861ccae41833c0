import { expect, test } from 'vitest';
import { upgrade } from '../../src/commands/index.js';
import { startBoot, waitUntilRuns } from '../support/boot.js';
import { runCliHere } from '../support/cli.js';
import { contentsOf, makeProject, names } from '../commands/fixture.js';

async function makeCli(files?: Readonly<Record<string, string>>) {
  const project = await makeProject(files);
  const where = ['--connection', project.database.url, '--migrations', project.directory];
  return { ...project, run: async (...args: string[]) => await runCliHere(['preflight', ...where, ...args]) };
}

test('preflight ends with 0 and says what is pending, and changes nothing', async () => {
  const { database, options, run } = await makeCli();
  await upgrade(options, { target: { steps: 2 } });
  const before = await contentsOf(database);
  expect(await run()).toMatchObject({
    code: 0,
    stdout: `The database "${database.name}" is ready: 2 pending.\n  ${names[2]}\n  ${names[3]}\n`,
    stderr: '',
  });
  expect(JSON.parse((await run('--json')).stdout)).toMatchObject({ ok: true, pending: [names[2], names[3]], findings: [] });
  expect(await contentsOf(database)).toEqual(before);
});

test('preflight ends with 78 where a boot would refuse, with every finding on stdout', async () => {
  const { run } = await makeCli({ '02_total.js': `throw new Error('not today');`, '05_open.sql': 'select 1;\ncommit;' });
  const { code, stdout, stderr } = await run();
  expect({ code, stderr }).toEqual({ code: 78, stderr: '' });
  expect(stdout).toMatch(/is not ready: 5 pending\.\n[^]*^error migration-load: [^]*^error sql-transaction-control: /m);
  expect(JSON.parse((await run('--json')).stdout)).toMatchObject({ ok: false });
});

test('preflight says who migrates, and does not wait for it', async () => {
  const slow = `export const up = async (knex) => await knex.raw('select pg_sleep(300)'); export const down = async () => undefined;`;
  const { database, directory, run } = await makeCli({ '05_slow.js': slow });
  const booting = startBoot({ connection: database.url, directory, application: { name: 'shop' } });
  const { pid } = await waitUntilRuns(database, 'pg_sleep');
  const { code, stdout } = await run();
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: expect.stringContaining(`The migration lock is held by pid ${pid} (ensure-migrated/shop, `) as string,
  });
  await booting.kill();
});
