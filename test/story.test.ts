import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { differences, schemaOf } from './script/fixture.js';
import { startBoot } from './support/boot.js';
import { runCli } from './support/cli.js';
import { describeWithClientTools, dumpableMajor } from './support/client-tools.js';
import { makeDirectory } from './support/directories.js';
import { createDatabase } from './support/servers.js';

test('ten processes boot at once with a data change outside a transaction: it is made once', async () => {
  const database = await createDatabase();
  const directory = await makeDirectory({
    '01_counters.sql': 'create table counters (n int); insert into counters values (0);',
    '02_count.js': `exports.config = { transaction: false };
      exports.up = async (knex) => { await knex.raw('update counters set n = n + 1'); await knex.raw('create index concurrently counters_n on counters (n)'); };
      exports.down = async () => undefined;`,
  });
  const booting = Array.from({ length: 10 }, () => startBoot({ connection: database.url, directory }));
  for (const { ended } of booting) expect(await ended).toMatchObject({ code: 0 });
  expect(await database.query('select n from counters')).toEqual([{ n: 1 }]);
});

const patients = `create table patients (id bigint generated always as identity primary key, name text not null);
  create table documents (id bigint generated always as identity primary key, patient_id bigint not null references patients (id), created_at timestamptz);
  insert into patients (name) values ('Ada'), ('Grace');`;

const email = `export const up = async (knex) => await knex.schema.alterTable('patients', (t) => t.text('email'));
  export const down = async (knex) => await knex.schema.alterTable('patients', (t) => t.dropColumn('email'));`;
const index = `export const up = async (knex) => await knex.raw('create index concurrently documents_time on documents (created_at)');
  export const down = async (knex) => await knex.raw('drop index concurrently documents_time');
  export const config = { transaction: false };`;

describeWithClientTools('a team that comes from Alembic', () => {
  /** The project, its command line, and the name of the migration that `revision` has just written with this text in it. */
  async function makeProject() {
    const [database, other] = [await createDatabase({ major: dumpableMajor }), await createDatabase({ major: dumpableMajor })];
    await database.query(patients);
    const cwd = await makeDirectory({ 'package.json': '{ "type": "module" }', 'migrations/.gitkeep': '' });
    const run = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await runCli(args, { cwd, env: { DATABASE_URL: database.url } });
      expect(code, `${args.join(' ')}: ${stderr}`).toBe(0);
      return stdout;
    };
    const revision = async (message: string, text: string): Promise<string> => {
      const { files } = JSON.parse(await run('revision', message, '--extension', 'js', '--json')) as { files: [string] };
      await writeFile(path.resolve(cwd, files[0]), text);
      return path.basename(files[0]);
    };
    return { database, other, cwd, run, revision };
  }

  test('adopts its database, goes up, down, to a name, to base and to head, and builds another database from a script', async () => {
    const { database, other, cwd, run, revision } = await makeProject();
    expect(await run('baseline')).toMatch(/Wrote migrations\/\d{14}_baseline\.up\.sql/);
    const baseline = (await run('current')).replace(' (head)\n', '');
    const added = await revision('Add patient email', email);
    expect(await run('upgrade')).toContain('Applied: 1');
    expect(await run('current')).toBe(`${added} (head)\n`);
    expect(await run('history', '--verbose')).toMatch(/baseline.*stamped +same[^]*add_patient_email.*run +same/);
    const indexed = await revision('Index documents by time', index);
    await run('upgrade');
    const atHead = await schemaOf(database);

    expect(await run('downgrade', '-1', '--yes')).toContain(`is at ${added} now`);
    await run('upgrade');
    expect(await run('downgrade', 'baseline', '--yes')).toContain(`is at ${baseline} now`);
    expect(await database.query('select name from patients order by id')).toEqual([{ name: 'Ada' }, { name: 'Grace' }]);
    expect(await run('downgrade', 'base', '--yes')).toContain('downgrade-loss: the down of ' + baseline);
    expect((await schemaOf(database)).lines.filter(({ kind }) => kind === 'table')).toEqual([]);
    expect(await run('upgrade', 'head')).toContain(`is at ${indexed} now`);
    expect(await schemaOf(database)).toEqual(atHead);

    await writeFile(path.join(cwd, 'release.sql'), await run('script'));
    await promisify(execFile)('psql', ['-q', '-d', other.url, '-f', 'release.sql'], { cwd });
    expect(await differences(database, other)).toEqual([]);
    const rows = 'select name, batch is null as stamped from knex_migrations order by id';
    expect((await other.query(rows)).map(({ name }) => name as string)).toEqual([baseline, added, indexed]);
    for (const url of [database.url, other.url]) expect(await run('status', '--connection', url)).toContain('in sync');
  });
});
