import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { upgrade, type Status } from '../../src/commands/index.js';
import { mending } from '../../src/cli/verbs/mending.js';
import type { Input } from '../../src/cli/verb.js';
import { holdersOf, poll, startBoot } from '../support/boot.js';
import { runCli } from '../support/cli.js';
import { contentsOf, makeProject, names } from '../commands/fixture.js';

type Project = Awaited<ReturnType<typeof makeProject>>;

async function makeCli(files?: Readonly<Record<string, string | undefined>>) {
  const project = await makeProject(files);
  const env = { DATABASE_URL: project.database.url, NODE_ENV: 'production' };
  const run = async (...args: string[]) => await runCli([...args, '--migrations', project.directory], { env });
  const findings = async () => (JSON.parse((await run('status', '--json')).stdout) as Status).findings;
  return { ...project, run, findings };
}

const withoutNotes = { '04_notes.up.sql': undefined, '04_notes.down.sql': undefined };
const half = (last: string) => `export const config = { transaction: false, capture: false };
  export const up = async (knex) => { await knex.raw('alter table orders add column if not exists half int'); ${last} };
  export const down = async () => undefined;`;
const stalls = half(
  `if (process.env.STALL) { console.log('{"event":"stalled"}'); await new Promise((resolve) => setTimeout(resolve, 300_000)); }`,
);

async function fail({ options }: Project): Promise<void> {
  await expect(upgrade(options)).rejects.toMatchObject({ code: 'EM_MIGRATION_FAILED' });
}

/** How each finding comes about, and the command that status names for it. */
const findings: Record<
  string,
  { files?: Record<string, string | undefined>; arrange: (project: Project) => Promise<unknown>; command: string }
> = {
  'history-pending': { arrange: async ({ options }) => await upgrade(options, { target: { steps: 3 } }), command: 'upgrade' },
  'history-unsettled': {
    files: { '04_notes.up.sql': 'select 1/0' },
    arrange: async (project) => {
      await fail(project);
      await writeFile(path.join(project.directory, names[3]), 'create table notes (id int)');
    },
    command: 'upgrade',
  },
  'history-out-of-order': {
    files: { '02_total.js': undefined },
    arrange: async ({ options, directory }) => {
      await upgrade(options);
      await writeFile(path.join(directory, names[1]), 'export const up = async () => undefined; export const down = up;');
    },
    command: 'upgrade',
  },
  'history-edited': {
    arrange: async ({ options, directory }) => {
      await upgrade(options);
      for (const name of names.slice(0, 2))
        await writeFile(path.join(directory, name), 'export const up = async () => undefined; export const down = up;');
    },
    command: `repair accept ${names[0]} ${names[1]}`,
  },
  'history-missing': {
    arrange: async ({ options, directory }) => {
      await upgrade(options);
      await rm(path.join(directory, names[1]));
    },
    command: `repair forget ${names[1]}`,
  },
  'history-ahead': {
    arrange: async ({ options, directory }) => {
      await upgrade({ ...options, lint: false }); // nobody has seen that older code can live with it
      for (const name of Object.keys(withoutNotes)) await rm(path.join(directory, name));
    },
    command: `repair compatible ${names[3]}`,
  },
  'history-duplicate': {
    arrange: async ({ options, database }) => {
      await upgrade(options);
      await database.query('insert into knex_migrations (name, batch, migration_time) values ($1, 2, now())', [names[1]]);
    },
    command: `repair deduplicate ${names[1]}`,
  },
  'history-unmanaged': {
    files: { '03_index.js': undefined },
    arrange: async ({ options, database }) => {
      await upgrade(options);
      await database.query('drop table knex_migrations, knex_migrations_lock, knex_migrations_journal');
    },
    command: `baseline --at ${names[3]}`,
  },
  'history-unfinished': {
    files: { '03_index.js': half(`await knex.raw('drop table nowhere');`) },
    arrange: fail,
    command: `repair undone ${names[2]}`,
  },
};

describe('the command that status names', () => {
  test.each(Object.entries(findings))('for %s mends it', async (code, { files, arrange, command }) => {
    const project = await makeCli(files);
    await arrange(project);
    const found = (await project.findings()).find((each) => each.code === code);
    expect(found).toMatchObject({ code, command: `ensure-migrated ${command}` });
    const words = command.split(' ');
    const ran = await project.run(...words, ...(words[0] === 'repair' ? ['--reason', 'a test looked', '--yes'] : []));
    expect(ran).toMatchObject({ code: 0 });
    expect((await project.findings()).map((each) => each.code)).not.toContain(code);
    expect(await project.database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 0 }]);
  });

  test('for an unfinished migration that can simply be run again is upgrade', async () => {
    const index = 'create unique index concurrently orders_customer_idx on orders (customer)';
    const only = `export const config = { transaction: false }; export const up = async (knex) => await knex.raw('${index}'); export const down = async () => undefined;`;
    const project = await makeCli({ '03_index.js': only });
    await upgrade(project.options, { target: { steps: 2 } });
    await project.database.query(`insert into orders (customer) values ('twice'), ('twice')`);
    await fail(project);
    // The invalid index was dropped: nothing is unfinished. So it is made to look as if the process had been killed before that.
    await project.database.query(
      `update knex_migrations_journal set detail = detail || '{"status": "started"}' where migration = $1 and kind = 'attempt'`,
      [names[2]],
    );
    const found = (await project.findings()).find(({ code }) => code === 'history-unfinished');
    expect(found).toMatchObject({ command: 'ensure-migrated upgrade' });
    await project.database.query(`delete from orders where customer = 'twice'`);
    expect(await project.run('upgrade')).toMatchObject({ code: 0 });
    expect(await project.findings()).toEqual([]);
  });

  test('is there also when the process was killed: a run without the lock is dead', async () => {
    const project = await makeCli({ '03_index.js': stalls, ...withoutNotes });
    const { database, directory } = project;
    const victim = startBoot({ connection: database.url, directory }, { STALL: 'yes' });
    await victim.waitForEvent('stalled');
    expect((await project.findings()).map(({ code }) => code)).toEqual(['history-unsettled', 'history-pending']); // it is at work
    await victim.kill();
    await poll(async () => ((await holdersOf(database)).length === 0 ? true : undefined));
    const found = await project.findings();
    expect(found.map(({ code, command }) => [code, command])).toEqual([
      ['history-unsettled', 'ensure-migrated upgrade'],
      ['history-pending', 'ensure-migrated upgrade'],
      ['history-unfinished', `ensure-migrated repair undone ${names[2]}`],
    ]);
    await project.run('repair', 'undone', names[2], '--reason', 'it died', '--yes');
    expect(await project.run('upgrade')).toMatchObject({ code: 0 });
    expect(await project.findings()).toEqual([]);
  });

  test('survives the shell, whatever the name', async () => {
    const name = "05 o'clock.js";
    const project = await makeCli({
      [name]: 'export const up = async () => undefined; export const down = up; export const config = { breaking: true };',
    });
    await upgrade(project.options);
    await rm(path.join(project.directory, name));
    expect(await project.findings()).toMatchObject([{ command: `ensure-migrated repair compatible '05 o'\\''clock.js'` }]);
  });
});

describe('repair on the command line', () => {
  test('prints what stood there before and stands there now, or all of it as JSON', async () => {
    const { database, options, run } = await makeCli();
    await upgrade(options);
    const why = ['--reason', 'it was seen to', '--yes'];
    const { code, stdout } = await run('repair', 'breaking', 'total', ...why);
    expect({ code, lines: stdout.trimEnd().split('\n') }).toEqual({
      code: 0,
      lines: [
        'Repaired: breaking 02_total.js',
        expect.stringMatching(/^ {2}before: in the history: id 2, up done, compatible, file js:[0-9a-f]{8}$/),
        expect.stringMatching(/^ {2}after: {2}in the history: id 2, up done, breaking, file js:[0-9a-f]{8}$/),
      ],
    });
    const json = JSON.parse((await run('repair', 'compatible', 'total', ...why, '--json')).stdout) as unknown;
    expect(json).toMatchObject({ action: 'compatible', migration: names[1], before: { compatible: false }, after: { compatible: true } });
    await database.query('update knex_migrations_lock set is_locked = 1');
    expect(await run('repair', 'lock', ...why)).toMatchObject({ code: 0, stdout: 'The lock row of knex is clear now.\n' });
    expect(await run('repair', 'lock', ...why)).toMatchObject({ code: 0, stdout: expect.stringContaining('Nothing is locked') as string });
  });

  test.each<[string[], RegExp]>([
    [['accept', 'total'], /^EM_CONFIG_INVALID: the repair is not valid:\n {2}reason: expected why/],
    [['acept', 'total', '--reason', 'why not'], /^EM_CONFIG_INVALID: .*\n {2}action: expected one of accept, .*; got 'acept'/],
    [['accept', '--reason', 'why not'], /^EM_CONFIG_INVALID: .*\n {2}migration: expected the name/],
    [['breaking', 'total', '--reason', 'why not'], /^EM_NOT_CONFIRMED: .*repair breaking 02_total\.js/],
    [['accept', 'total', '--reason', 'why not', '--yes'], /^EM_REPAIR_REFUSED: 02_total\.js is not edited/],
    [['accept', 'nonsense', '--reason', 'why not', '--yes'], /^EM_PLAN_REFUSED: .*'nonsense' names no migration/],
  ])('%j ends with 78 and changes nothing', async (args, says) => {
    const { database, options, run } = await makeCli();
    await upgrade(options);
    const before = await contentsOf(database);
    const { code, stdout, stderr } = await run('repair', ...args);
    expect({ code, stdout, stderr }).toEqual({ code: 78, stdout: '', stderr: expect.stringMatching(says) as string });
    expect(await contentsOf(database)).toEqual(before);
    expect(await database.query(`select from knex_migrations_journal where kind = 'repair'`)).toEqual([]);
  });

  test('asks on a terminal why, and whether to go on, with what an unfinished migration had sent', async () => {
    const { database, options } = await makeCli({ '03_index.js': half(`await knex.raw('drop table nowhere');`) });
    await expect(upgrade(options)).rejects.toMatchObject({ code: 'EM_MIGRATION_FAILED' });
    const questions: string[] = [];
    const input: Input = {
      args: ['undone', '03'],
      flags: {},
      askText: async (question) => await Promise.resolve(`${questions.push(question)} looked, nothing is left`),
      ask: async (question) => await Promise.resolve(questions.push(question) > 0),
    };
    await mending[0]?.run({ ...options, environment: 'production' }, input);
    expect(questions).toEqual([
      'Why? (for the record)',
      `In the database "${database.name}", repair undone 03_index.js\nIt had sent:\n  alter table orders add column if not exists half int\n  drop table nowhere (refused by the server)\nThis records that it has never been tried: the next run begins with its first statement.\nGo on?`,
    ]);
    const [row] = await database.query(
      `select detail -> 'repair' ->> 'reason' as reason from knex_migrations_journal where kind = 'repair'`,
    );
    expect(row).toEqual({ reason: '1 looked, nothing is left' });
  });
});
