import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { downgrade, squash } from '../../src/commands/index.js';
import { ensureMigrated, isMigrationError, type MigrationError, type Options } from '../../src/index.js';
import { poll } from '../support/boot.js';
import { runCli } from '../support/cli.js';
import { describeWithClientTools, dumpableMajor, dumpOf } from '../support/client-tools.js';
import { makeDirectory } from '../support/directories.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';
import { expectPrinted } from '../support/json-schemas.js';

const old = ['01_orders.js', '02_total.js', '03_index.js', '04_notes.up.sql'];
const later = '05_later.js';
const name = '04_notes_squash.up.sql';
const downName = '04_notes_squash.down.sql';

const files: Readonly<Record<string, string>> = {
  'package.json': '{ "type": "module" }',
  '01_orders.js': `
    export const up = async (knex) => await knex.raw("create table orders (id bigserial primary key, customer text); comment on table orders is 'it''s'");
    export const down = async (knex) => await knex.schema.dropTable('orders');`,
  '02_total.js': `
    export const up = async (knex) => await knex.raw('alter table orders drop column customer, add column total int default 7, add column who text');
    export const down = async (knex) => await knex.raw('alter table orders drop column total, drop column who, add column customer text');`,
  '03_index.js': `
    export const up = async (knex) => await knex.raw('create index concurrently orders_who_idx on orders (who)');
    export const down = async (knex) => await knex.raw('drop index concurrently orders_who_idx');
    export const config = { transaction: false };`,
  '04_notes.up.sql': 'create table notes (id bigint primary key);\ncreate view busy as select who from orders where total > 1;\n',
  '04_notes.down.sql': 'drop view busy; drop table notes;\n',
  [later]: `
    export const up = async (knex) => await knex.raw('alter table notes add column later text');
    export const down = async (knex) => await knex.raw('alter table notes drop column later');`,
};

const seeding = `
  export const up = async (knex) => {
    await knex.raw('alter table orders drop column customer, add column total int default 7, add column who text');
    await knex('orders').insert([{ who: 'a' }, { who: "b'" }]);
  };
  export const down = async (knex) => await knex.raw('alter table orders drop column total, drop column who, add column customer text');`;

interface Place {
  readonly database: TestDatabase;
  readonly directory: string;
  readonly options: Options;
}

async function makePlace(others: Readonly<Record<string, string>> = {}): Promise<Place> {
  const database = await createDatabase({ major: dumpableMajor });
  const directory = await makeDirectory({ ...files, ...others });
  return { database, directory, options: { connection: database.url, migrations: directory, logger: false } };
}

/** Another database on the same files. */
async function besides({ options }: Place): Promise<{ database: TestDatabase; options: Options }> {
  const database = await createDatabase({ major: dumpableMajor });
  return { database, options: { ...options, connection: database.url } };
}

async function failureOf(work: Promise<unknown>): Promise<MigrationError> {
  const error: unknown = await work.catch((thrown: unknown) => thrown);
  if (!isMigrationError(error)) throw new Error('it did not fail', { cause: error });
  return error;
}

async function rowsOf(database: TestDatabase): Promise<string[]> {
  return (await database.query('select name from knex_migrations order by id')).map((row) => row['name'] as string);
}

async function contentsOf(database: TestDatabase): Promise<unknown> {
  return await Promise.all(['', '_lock', '_journal'].map((suffix) => database.query(`select * from knex_migrations${suffix} order by 1`)));
}

describeWithClientTools('squash', () => {
  test('writes one migration that makes what the old ones make, up and down, and says which it stands for', async () => {
    const place = await makePlace();
    const first = await besides(place);
    await ensureMigrated(first.options);
    const squashing = squash(place.options, { to: '04_notes' });
    await poll(async () => (await readdir(place.directory, { recursive: true })).find((each) => path.basename(each) === name));
    expect(await readdir(place.directory)).not.toContain(name); // who is killed now leaves no migration that nobody has proved
    const result = await squashing;
    expectPrinted('squash', result);
    expect(result).toMatchObject({ name, replaced: old, removed: [], comparedCount: expect.any(Number) as number });
    expect(result.files.map((file) => path.basename(file))).toEqual([name, downName]);
    expect(result.removable.map((file) => path.basename(file))).toEqual([...old, '04_notes.down.sql']);
    const text = await readFile(path.join(place.directory, name), 'utf8');
    expect(text).toContain('\n-- breaking: true\n');
    for (const each of old) expect(text).toMatch(new RegExp(`^-- replaces: ${each} (?:js|sql):[0-9a-f]{64}$`, 'm'));

    const before = await contentsOf(first.database);
    expect(await ensureMigrated(first.options)).toMatchObject({ status: 'in-sync', to: later, applied: [] });
    for (const file of result.removable) await rm(file);
    expect(await ensureMigrated(first.options)).toMatchObject({ status: 'in-sync', to: later, applied: [], findings: [] });
    expect(await contentsOf(first.database)).toEqual(before);

    expect(await ensureMigrated(place.options)).toMatchObject({ status: 'migrated', applied: [{ name }, { name: later }] });
    expect(dumpOf(place.database, ['--schema-only'])).toBe(dumpOf(first.database, ['--schema-only']));
    await downgrade(place.options, { target: 'base', yes: true });
    expect(await place.database.query(`select relname from pg_class where relname in ('orders', 'notes', 'busy')`)).toEqual([]);
    expect(await rowsOf(place.database)).toEqual([]);
  });

  test('refuses to lose rows that the old ones write, and keeps them when it is told to', async () => {
    const place = await makePlace({ '02_total.js': seeding });
    const before = await readdir(place.directory);
    const refused = await failureOf(squash(place.options, { to: '04_notes' }));
    expect(refused).toMatchObject({ code: 'EM_PLAN_REFUSED', remedy: expect.stringContaining('--rows keep') as string });
    expect(refused.message).toContain('"public"."orders" (2)');
    expect(await readdir(place.directory)).toEqual(before);

    const flags = ['--connection', place.database.url, '--migrations', place.directory, '--rows', 'keep', '--remove'];
    const { code, stdout } = await runCli(['squash', '--to', '04_notes', ...flags]);
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^Wrote .*squash\.up\.sql\n[^]*Proved: .*\n(?:Removed .*\n?){5}$/) as string,
    });
    expect((await readdir(place.directory)).sort()).toEqual([downName, name, later, 'package.json'].sort());
    await ensureMigrated(place.options);
    expect(await place.database.query('select id, who from orders order by id')).toEqual([
      { id: '1', who: 'a' },
      { id: '2', who: "b'" },
    ]);
    expect(await place.database.query(`insert into orders (who) values ('c') returning id`)).toEqual([{ id: '3' }]);
  });

  test('keeps where a sequence was moved to without a row, and does not lose it silently', async () => {
    const moving = `
      export const up = async (knex) => await knex.raw('create sequence numbers; alter sequence orders_id_seq restart with 5000; alter table orders add column who text, add column total int');
      export const down = async (knex) => await knex.raw('drop sequence numbers; alter sequence orders_id_seq restart with 1; alter table orders drop column who, drop column total');`;
    const place = await makePlace({ '02_total.js': moving });
    const before = await readdir(place.directory);
    const refused = await failureOf(squash(place.options, { to: '04_notes' }));
    expect(refused).toMatchObject({ code: 'EM_PLAN_REFUSED', remedy: expect.stringContaining('--rows keep') as string });
    expect(refused.message).toMatch(/: position of "public"\."orders_id_seq" \(5000\)\n/); // and neither numbers nor what counts the history
    expect(await readdir(place.directory)).toEqual(before);
    await squash(place.options, { to: '04_notes', rows: 'keep' });
    await ensureMigrated(place.options);
    expect(await place.database.query(`insert into orders default values returning id`)).toEqual([{ id: '5000' }]);
  });

  test('leaves nothing behind where a later migration does something else without the rows, or it is asked for what makes no sense', async () => {
    const needing = `export const up = async (knex) => {
        const orders = await knex('orders');
        await knex.raw('create table of_' + orders.length + ' ()');
      };
      export const config = { capture: false };
      export const down = async () => undefined;`;
    const place = await makePlace({ '02_total.js': seeding, [later]: needing });
    const before = await readdir(place.directory);
    expect(await failureOf(squash(place.options, { to: '04_notes', rows: 'leave-out' }))).toMatchObject({
      code: 'EM_DIFF_INCOMPLETE',
      findings: [
        { code: 'squash-differs', message: 'table public.of_2 would be missing' },
        { code: 'squash-differs', message: 'table public.of_0 would be left over' },
      ],
    });
    expect(await failureOf(squash(place.options, { to: '01_orders' }))).toMatchObject({ code: 'EM_PLAN_REFUSED' });
    expect((await failureOf(squash(place.options, { to: '' }))).message).toMatch(/^no revision to squash to is given\n {2}Name the last/);
    expect(await failureOf(squash(place.options, { to: 'nowhere' }))).toMatchObject({ code: 'EM_PLAN_REFUSED' });
    expect(await failureOf(squash(place.options, { to: '04_notes', rows: 'some' as 'keep' }))).toMatchObject({ code: 'EM_PLAN_REFUSED' });
    expect(await readdir(place.directory)).toEqual(before);
    expect(await place.database.query(`select to_regclass('knex_migrations') as history`)).toEqual([{ history: null }]);
  });

  test('has no way back where one of the old ones has none, and is squashed again with what comes later', async () => {
    const place = await makePlace();
    await rm(path.join(place.directory, '04_notes.down.sql'));
    const { files: written } = await squash(place.options, { to: '04_notes', remove: true });
    expect(written.map((file) => path.basename(file))).toEqual([name]);
    await ensureMigrated(place.options);
    const again = await squash(place.options, { to: '05_later', remove: true });
    expect(again).toMatchObject({ name: '05_later_squash.up.sql', replaced: [...old, name, later] });
    expect(await readFile(again.files[0] ?? '', 'utf8')).toMatch(
      new RegExp(`^-- replaces: ${name} sql:[0-9a-f]{64} \\(and all above\\)$`, 'm'),
    );
    expect(await ensureMigrated(place.options)).toMatchObject({ status: 'in-sync', to: later });
    expect(await rowsOf(place.database)).toEqual([name, later]);
  });
});
