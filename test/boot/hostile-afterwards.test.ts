import createKnex from 'knex';
import { describe, expect, test } from 'vitest';
import { ensureMigrated } from '../../src/index.js';
import { holdersOf, poll } from '../support/boot.js';
import { makeDirectory } from '../support/directories.js';
import { failureOf, makeScene, untouched } from '../support/scene.js';

// What the next migration sees of the session.
const look = `const { rows: [seen] } = await knex.raw(\`select current_user as role, current_setting('search_path') as path, current_setting('TimeZone') as zone,
  current_setting('statement_timeout') as timeout, current_setting('idle_in_transaction_session_timeout') as lease, current_setting('application_name') as name\`);
  await knex('log').insert({ name: JSON.stringify(seen) });`;
const sets = [
  'create schema other',
  'set role pg_monitor',
  'set search_path = other, public',
  `set timezone = 'Asia/Tokyo'`,
  'set statement_timeout = 5000',
  'set idle_in_transaction_session_timeout = 0',
  `set application_name = 'mine'`,
];

describe('what a migration sets is put back before the next one', () => {
  test.each([
    ['in a transaction', undefined],
    ['outside of one', false],
  ] as const)('%s', async (_where, transaction) => {
    const body = sets.map((sql) => `await knex.raw(${JSON.stringify(sql)});`).join('\n  ');
    const scene = await makeScene({ body, after: look, ...(transaction === false && { transaction }) });
    const { database } = scene;
    const [fresh] = await database.query(`select current_setting('search_path') as path, current_setting('TimeZone') as zone`);
    expect(await scene.boot()).toMatchObject({ status: 'migrated' });
    const seen = (await scene.aftermath()).log.find((name) => name.startsWith('{'));
    const expected = {
      role: 'postgres',
      timeout: '0',
      lease: '15s',
      name: expect.stringMatching(/^ensure-migrated\/./) as unknown,
      ...fresh,
    };
    expect(JSON.parse(seen ?? '')).toEqual(expected);
  });

  test('also when it has failed: the run can say so, and let go', async () => {
    const scene = await makeScene({ body: `await knex.raw('set role pg_monitor; set statement_timeout = 5000'); throw new Error('no');` });
    expect(await scene.fail()).toMatchObject({ code: 'EM_MIGRATION_FAILED' });
    expect(await scene.aftermath()).toMatchObject({ ...untouched, owner: { state: 'failed' }, attempt: { status: 'failed' } });
  });
});

describe('a promise that a migration forgot', () => {
  const forgetting = (what: string) =>
    `globalThis.forgotten = new Promise((resolve) => (globalThis.goOn = resolve)).then(() => ${what}).catch(String);`;
  const remembering = `globalThis.goOn(); const heard = await globalThis.forgotten; await knex('log').insert({ name: heard });`;

  test.each([
    ['a query in a transaction', undefined],
    ['a query outside of one', false],
  ] as const)('does not write into the next one: %s', async (_what, transaction) => {
    const body = forgetting(`knex('log').insert({ name: 'forgotten' })`);
    const scene = await makeScene({ body, after: remembering, capture: false, ...(transaction === false && { transaction }) });
    expect(await scene.boot()).toMatchObject({ status: 'migrated' });
    const { log } = await scene.aftermath();
    expect(log).not.toContain('forgotten');
    expect(log).toContainEqual(
      expect.stringMatching(/Transaction query already complete|the migration has ended; this query came after it/),
    );
  });

  test('nor does one that queries the connection itself', async () => {
    const body = `const connection = await knex.client.acquireConnection();
      ${forgetting(`connection.query('insert into log values (\\'forgotten\\')')`)}`;
    const scene = await makeScene({ body, after: remembering, capture: false });
    expect(await scene.boot()).toMatchObject({ status: 'migrated' });
    const { log } = await scene.aftermath();
    expect(log).toEqual(['0001', '0002', '0003', expect.stringMatching(/the migration has ended; this query came after it/)]);
  });
});

test('a run that has lost its lock does not touch what its successor has claimed', async () => {
  const gates = globalThis as unknown as Record<'one' | 'two', { arrive(): void; readonly opened: Promise<void> }>;
  const [first, second] = [gate(), gate()];
  Object.assign(gates, { one: first.inside, two: second.inside });
  const scene = await makeScene({
    body: `await knex.raw('select pg_advisory_unlock_all()'); globalThis.one.arrive(); await globalThis.one.opened;`,
    capture: false,
  });
  const losing = failureOf(scene.boot());
  await first.arrived;

  const before = `export async function up() {} export async function down() {}`;
  const waits = `export const config = { capture: false }; export async function up(knex) { await knex.raw("insert into log values ('0002')"); globalThis.two.arrive(); await globalThis.two.opened; }`;
  const successor = await makeDirectory({ 'package.json': '{ "type": "module" }', '0001_before.js': before, '0002_hostile.js': waits });
  const rules = { 'history-edited': 'off' } as const;
  const winning = ensureMigrated({ connection: scene.database.url, migrations: successor, logger: false, rules });
  await second.arrived;
  const owner = async () => (await scene.database.query(`select run, detail from knex_migrations_journal where kind = 'owner'`))[0];
  const claimed = await owner();

  first.open();
  expect(await losing).toMatchObject({ code: 'EM_LOCK_LOST' });
  expect(await owner()).toEqual(claimed);
  expect(claimed).toMatchObject({ detail: { state: 'active' } });
  expect(await scene.database.query('select is_locked from knex_migrations_lock')).toEqual([{ is_locked: 1 }]);
  expect(await holdersOf(scene.database)).toHaveLength(1);

  second.open();
  expect(await winning).toMatchObject({ status: 'migrated', applied: [{ name: '0002_hostile.js' }] });
  expect((await scene.aftermath()).log).toEqual(['0001', '0002']);
});

interface Gate {
  readonly inside: { arrive(): void; readonly opened: Promise<void> };
  readonly arrived: Promise<void>;
  open(): void;
}

function gate(): Gate {
  let arrive: () => void = () => undefined;
  let open: () => void = () => undefined;
  const arrived = new Promise<void>((resolve) => (arrive = resolve));
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { inside: { arrive: () => arrive(), opened }, arrived, open: () => open() };
}

describe('the knex of the user', () => {
  const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  const camel = (row: object) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name.replace(/_(.)/g, (_, l: string) => l.toUpperCase()), value as unknown]),
    );

  test('keeps its identifiers and its results inside migrations, not in our own tables, and its pool works on', async () => {
    const body = `await knex.schema.createTable('patientVisits', (table) => { table.increments(); table.text('visitNote'); });
      const [row] = await knex('patientVisits').insert({ visitNote: 'seen' }).returning('*');
      await knex('log').insert({ name: JSON.stringify(row) });`;
    const scene = await makeScene({ body });
    const knex = createKnex({
      client: 'pg',
      connection: scene.database.url,
      wrapIdentifier: (name, original) => (name === '*' ? name : original(snake(name))),
      postProcessResponse: (result: unknown) => (Array.isArray(result) ? result.map((row: object) => camel(row)) : result),
    });
    try {
      expect(await scene.boot({ knex })).toMatchObject({ status: 'migrated' });
      expect((await scene.aftermath()).log).toContain('{"id":1,"visitNote":"seen"}');
      expect(await scene.database.query('select visit_note from patient_visits')).toEqual([{ visit_note: 'seen' }]);
      expect(await knex('patientVisits').select('visitNote')).toEqual([{ visitNote: 'seen' }]);
      expect((await scene.boot({ knex })).status).toBe('in-sync');
      expect(await knex.migrate.list({ directory: scene.directory })).toMatchObject([[{}, {}, {}], []]);
    } finally {
      await knex.destroy();
    }
  });

  test('does not notice that a migration destroys it', async () => {
    const scene = await makeScene({ body: 'await knex.destroy();' });
    const knex = createKnex({ client: 'pg', connection: scene.database.url });
    try {
      expect(await scene.boot({ knex })).toMatchObject({ status: 'migrated' });
      expect(await knex('log').select('name')).toHaveLength(3);
    } finally {
      await knex.destroy();
    }
    await poll(async () => ((await holdersOf(scene.database)).length === 0 ? true : undefined));
  });
});
