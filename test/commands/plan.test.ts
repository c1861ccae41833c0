import { expect, test } from 'vitest';
import { planText } from '../../src/cli/plan-text.js';
import { preflightText } from '../../src/cli/text.js';
import { history, lint, plan, preflight, upgrade } from '../../src/commands/index.js';
import { makeDirectory } from '../support/directories.js';
import { startProxy } from '../support/proxy.js';
import { contentsOf as everythingIn } from '../script/fixture.js';
import { createDatabase } from '../support/servers.js';
import { makeProject, names } from './fixture.js';

const screen = { columns: 80, style: (_format: unknown, text: string) => text };

test('plan tells each statement that an upgrade would send, and changes nothing', async () => {
  const { database, options } = await makeProject();
  await upgrade(options, { target: { steps: 1 } });
  const before = await everythingIn(database);
  const planned = await plan(options);
  expect(planned).toMatchObject({ database: database.name, from: names[0], to: names[3], findings: [], stamped: [] });
  expect(
    planned.steps.map(({ name, transaction, compatible, exactness, statements }) => [
      name,
      transaction,
      compatible,
      exactness,
      statements.map(({ sql }) => sql),
    ]),
  ).toEqual([
    [names[1], true, true, 'exact', [`alter table "orders" add column "total" integer default '7'`]],
    [names[2], false, true, 'exact', ['create index concurrently orders_customer_idx on orders (customer)']],
    [names[3], true, true, 'exact', ['create table notes (id bigint primary key)', 'comment on table notes is $$what people wrote$$']],
  ]);
  expect(planned.steps.map(({ locks }) => locks)).toEqual([
    [{ table: 'public.orders', mode: 'ACCESS EXCLUSIVE', work: [], doubtful: false }],
    [{ table: 'public.orders', mode: 'SHARE UPDATE EXCLUSIVE', work: ['index'], doubtful: false }],
    [], // what it makes nobody uses yet
  ]);
  expect(planned.transaction).toBe('each');
  expect((await plan({ ...options, lint: false })).steps.map(({ locks }) => locks)).toEqual([undefined, undefined, undefined]);
  expect(planned.steps[2]?.statements[1]?.place).toMatch(/04_notes\.up\.sql:2$/);
  expect(await everythingIn(database)).toEqual(before);
  expect(JSON.parse(JSON.stringify(planned))).toMatchObject({ steps: { length: 3 } });
  expect(Object.isFrozen(planned.steps[0])).toBe(true);
});

test('plan and preflight tell which migrations older releases cannot live with, as their run puts it on record', async () => {
  const said = `export const up = async () => undefined; export const down = up; export const config = { breaking: true };`;
  const { options } = await makeProject({ '05_drop.sql': 'alter table orders drop column total;', '06_said.js': said });
  const [planned, foreseen] = [await plan(options), await preflight(options)];
  expect(foreseen.breaking).toEqual([
    { name: '05_drop.sql', breaks: ['drops column orders.total'] },
    { name: '06_said.js', breaks: [] },
  ]);
  expect(planned.steps.filter(({ compatible }) => !compatible).map(({ name, breaks }) => ({ name, breaks }))).toEqual(foreseen.breaking);
  expect(preflightText(foreseen, screen)).toContain(
    `\n  05_drop.sql: older releases cannot live with it: it drops column orders.total\n  06_said.js: counts as one that`,
  );
  const text = planText(planned, screen);
  expect(text).toContain(`5. 05_drop.sql\n   older releases cannot live with it: it drops column orders.total\n   alter table`);
  expect(text).toContain(`6. 06_said.js\n   counts as one that older releases cannot live with: its config says so`);
  expect((await preflight({ ...options, lint: false })).breaking.map(({ name }) => name)).not.toContain(names[1]); // its config says so
  await upgrade(options);
  const recorded = (await history(options)).filter(({ compatible }) => compatible === false);
  expect(recorded.map(({ name }) => name)).toEqual(foreseen.breaking.map(({ name }) => name));
});

test('plan, preflight and lint have a remark on a migration that sends nothing; a boot applies it without a word', async () => {
  const rows = `export const up = async (knex) => { for (const id of [1, 2]) await knex('orders').where({ id }).update({ customer: 'c' }); }; export const down = () => {};`;
  const left = `export async function up(knex) {\n  // await knex.schema.alterTable(...)\n}\nexport const down = up;`;
  const asks = `export const config = { capture: false }; export const up = async () => undefined; export const down = up;`;
  const sql = '-- revision: x\n-- Statements for PostgreSQL, all in one transaction.\n';
  const files = { '05_rows.js': rows, '06_left.js': left, '07_left.up.sql': sql, '07_left.down.sql': sql, '08_asks.js': asks };
  const { options } = await makeProject(files);
  const remark = (migration: string) => ({ level: 'info', at: { migration } });
  const found = [
    (await plan(options)).findings,
    (await preflight(options)).findings,
    (await lint(options)).migrations.flatMap(({ findings }) => findings),
  ];
  for (const findings of found)
    expect(findings.filter(({ code }) => code === 'migration-empty')).toMatchObject([remark('06_left.js'), remark('07_left.up.sql')]);
  expect((await upgrade(options)).findings).toEqual([]);
});

test('plan goes the way that the rows of the database lead, and says where it cannot know', async () => {
  const read = (more = '') => `export const up = async (knex) => {
    for (const { id } of await knex('orders').select('id').orderBy('id')) await knex('orders').where({ id }).update({ customer: 'c' + id }); ${more} };`;
  const { options, database } = await makeProject({ '02_total.js': read(), '03_index.js': read(`throw new Error('no token');`) });
  await upgrade(options, { target: { steps: 1 } });
  const before = await everythingIn(database);
  const { steps } = await plan(options);
  expect(steps.map(({ exactness, reason }) => [exactness, reason])).toEqual([
    ['exact', undefined],
    ['opaque', expect.stringContaining('it throws: no token')],
    ['exact', undefined],
  ]);
  expect(steps[0]?.statements.map(({ sql }) => sql)).toEqual([
    'select "id" from "orders" order by "id" asc',
    `update "orders" set "customer" = 'c1' where "id" = '1'`,
    `update "orders" set "customer" = 'c2' where "id" = '2'`,
  ]);
  expect(await everythingIn(database)).toEqual(before);
  const again = await makeProject({ '02_total.js': read(), '03_index.js': read() });
  await upgrade({ ...options, migrations: again.directory }, { target: { steps: 1 } });
  expect((await plan({ ...options, migrations: again.directory })).steps[0]).toMatchObject({ exactness: 'exact' });
  await expect(plan({ ...again.options, connection: (await createDatabase()).url })).resolves.toMatchObject({
    steps: [{ exactness: 'exact' }, { exactness: 'approximate' }, { exactness: 'approximate' }, { exactness: 'exact' }],
  });
});

test('plan stops at the target, refuses one that is behind, and shows what stands in the way', async () => {
  const { options, database } = await makeProject();
  expect(await plan(options, { target: { steps: 2 } })).toMatchObject({ to: names[1], steps: { length: 2 } });
  await upgrade(options);
  await expect(plan(options, { target: { to: names[1] } })).rejects.toMatchObject({ code: 'EM_PLAN_REFUSED' });
  await database.query(`insert into knex_migrations (name, batch) values ('09_other.js', 2)`);
  expect(await plan(options)).toMatchObject({ steps: [], findings: [{ code: 'history-ahead', level: 'error' }] });
});

test('plan shows no password', async () => {
  const { options } = await makeProject({ '05_role.sql': `create role somebody password 'hunter2';` });
  const { steps } = await plan(options);
  expect(steps.at(-1)?.statements[0]?.sql).toBe(`create role somebody password '***'`);
});

test('plan of a thousand applied migrations costs a connection and one round trip, and loads none of them', async () => {
  const files = Array.from(
    { length: 1000 },
    (_, index) => [`m${String(index).padStart(4, '0')}.js`, `throw new Error('loaded');`] as const,
  );
  const migrations = await makeDirectory(Object.fromEntries(files));
  const database = await createDatabase();
  await database.query('create table knex_migrations (id serial primary key, name text, batch int, migration_time timestamptz)');
  await database.query(
    `insert into knex_migrations (name, batch) select 'm' || lpad(n::text, 4, '0') || '.js', 1 from generate_series(0, 999) n order by n`,
  );
  const proxy = await startProxy(database.url);
  const started = performance.now();
  expect(await plan({ connection: proxy.urlOf(database.url), migrations, logger: false })).toMatchObject({
    from: 'm0999.js',
    steps: [],
    findings: [],
  });
  expect(proxy.counts()).toMatchObject({ connections: 1, roundTrips: 1 });
  expect(performance.now() - started).toBeLessThan(2_000);
});
