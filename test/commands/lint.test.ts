import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { lint, upgrade, type LintReport } from '../../src/commands/index.js';
import { makeDirectory } from '../support/directories.js';
import { startProxy } from '../support/proxy.js';
import { createDatabase } from '../support/servers.js';
import { contentsOf, makeProject, names } from './fixture.js';

const nowhere = 'postgres://nobody@127.0.0.1:1/nothing';
const down = 'export const down = async () => undefined;';
const index = (more = '') =>
  `export const up = async (knex) => await knex.raw('create index orders_again on orders (customer)'); ${down} ${more}`;

/** What was found of each migration, by its name. */
function codesOf({ migrations }: LintReport): Record<string, string[]> {
  return Object.fromEntries(migrations.map(({ name, findings }) => [name, findings.map(({ code }) => code)]));
}

describe('without a database', () => {
  test('all migrations are judged by their text, each as if it were released alone, and nothing is connected to', async () => {
    const migrations = await makeDirectory({
      'package.json': '{ "type": "module" }',
      '01_orders.sql': 'create table orders (id bigint primary key, customer text);\ncreate index on orders (customer);\n',
      '02_index.js': index(),
      '03_drop.sql': '-- safe: drop-column: nothing reads it since release 41\nalter table orders drop column customer;\n',
    });
    const report = await lint({ connection: nowhere, migrations, logger: false }, { database: 'none' });
    expect(report).toMatchObject({ ok: false, released: 'apart', sparedCount: 0 });
    expect(report.database).toBeUndefined();
    expect(codesOf(report)['01_orders.sql']).not.toContain('create-index-blocking');
    expect(codesOf(report)['02_index.js']).toContain('create-index-blocking');
    expect(report.totals.error).toBeGreaterThan(0);
    const [, second, third] = report.migrations;
    expect(second).toMatchObject({ state: 'unknown', exactness: 'exact', compatible: true, breaking: [], safe: [] });
    expect(second?.findings.find(({ code }) => code === 'create-index-blocking')).toMatchObject({
      level: 'error',
      message: expect.stringContaining('create index locks "orders" in SHARE mode') as string,
      at: { migration: '02_index.js', file: path.join(migrations, '02_index.js'), line: 1 },
    });
    expect(third).toMatchObject({
      compatible: false,
      breaking: [expect.stringContaining('orders.customer')],
      safe: [{ rule: 'drop-column', reason: 'nothing reads it since release 41' }],
    });
    expect(Object.isFrozen(third?.safe[0])).toBe(true);
    expect(JSON.parse(JSON.stringify(report))).toMatchObject({ migrations: { length: 3 } });
    const together = await lint({ connection: nowhere, migrations, logger: false }, { database: 'none', released: 'together' });
    expect(codesOf(together)['02_index.js']).not.toContain('create-index-blocking');
    const files = ['02_index.js', '03_drop.sql']; // the release before has made the table
    const later = await lint({ connection: nowhere, migrations, logger: false }, { database: 'none', released: 'together', files });
    expect(codesOf(later)['02_index.js']).toContain('create-index-blocking');
  });

  test('what only a catalog can tell is said not to be judged', async () => {
    const migrations = await makeDirectory({ '01_note.sql': 'alter table orders alter column note set not null;' });
    const { ok, migrations: judged } = await lint({ connection: nowhere, migrations, logger: false }, { database: 'none' });
    expect(ok).toBe(true);
    expect(judged[0]?.findings.find(({ code }) => code === 'set-not-null-scan')).toMatchObject({
      level: 'info',
      message: expect.stringMatching(/^not judged without a database: .*, unless a validated CHECK implies it/) as string,
    });
  });

  test('a migration that needs an answer, throws or says capture: false is opaque, which is told and no failure', async () => {
    const code = (body: string, more = '') => `export const up = async (knex) => { ${body} }; ${down} ${more}`;
    const migrations = await makeDirectory({
      'package.json': '{ "type": "module" }',
      '01_asks.js': code(`for (const { id } of await knex('orders').select('id')) await knex('orders').where({ id }).del();`),
      '02_throws.js': code(`throw new Error('no token');`),
      '03_elsewhere.js': code(`throw new Error('sent');`, 'export const config = { capture: false, breaking: false };'),
    });
    const { ok, migrations: judged } = await lint({ connection: nowhere, migrations, logger: false }, { database: 'none' });
    expect(ok).toBe(true);
    expect(judged.map(({ exactness, reason, compatible }) => [exactness, reason, compatible])).toEqual([
      ['opaque', expect.stringContaining('it needs the answer to `select "id" from "orders"`'), false],
      ['opaque', 'it throws: no token', false],
      ['opaque', 'its config says capture: false', true],
    ]);
    for (const { findings, reason = '' } of judged)
      expect(findings).toContainEqual(
        expect.objectContaining({ code: 'not-captured', level: 'info', message: expect.stringContaining(reason) as string }),
      );
  });

  test('one that cannot be loaded, and a script that cannot be read, are findings; the others are judged', async () => {
    const migrations = await makeDirectory({
      'package.json': '{ "type": "module" }',
      '01_broken.js': `throw new Error('not today');`,
      '02_typing.sql': 'create tabel orders (id int);',
      '03_index.js': index(),
    });
    const report = await lint({ connection: nowhere, migrations, logger: false }, { database: 'none' });
    expect(codesOf(report)).toEqual({
      '01_broken.js': ['migration-load'],
      '02_typing.sql': ['migration-syntax'],
      '03_index.js': expect.arrayContaining(['create-index-blocking']) as string[],
    });
    expect(report.migrations[0]).toMatchObject({ exactness: 'opaque', compatible: false });
  });

  test('levels and exceptions of rules count; what is older than lint.from only tells what is there', async () => {
    const migrations = await makeDirectory({
      'package.json': '{ "type": "module" }',
      '01_orders.sql': 'create table orders (id bigint primary key, customer text);',
      '02_index.js': index(),
      '03_index.sql': 'create index orders_third on orders (id);',
    });
    const options = { connection: nowhere, migrations, logger: false } as const;
    const none = { database: 'none' } as const;
    const from = await lint({ ...options, lint: { from: '03' } }, none);
    expect(from).toMatchObject({ sparedCount: 2, migrations: [{ name: '03_index.sql' }] });
    expect(codesOf(from)['03_index.sql']).toContain('create-index-blocking');
    const excepted = { 'create-index-blocking': { level: 'error', except: ['orders'] } } as const;
    expect((await lint({ ...options, rules: excepted }, none)).ok).toBe(true);
    expect((await lint({ ...options, rules: { 'create-index-blocking': 'warn' } }, none)).ok).toBe(true);
    expect((await lint({ ...options, lint: false }, none)).ok).toBe(false);
    await expect(lint({ ...options, lint: { from: 'nonsense' } }, none)).rejects.toMatchObject({ code: 'EM_PLAN_REFUSED' });
  });

  test('files may be names or paths, also of files that stand elsewhere; those before them are known', async () => {
    const migrations = await makeDirectory({
      'package.json': '{ "type": "module" }',
      '01_orders.up.sql': 'create table orders (id bigint primary key, customer text not null);',
      '01_orders.down.sql': 'drop table orders;',
      '02_index.js': index(),
      '03_note.sql': 'alter table orders alter column customer set not null;',
    });
    const elsewhere = path.join(await makeDirectory({ 'new.sql': 'create index on orders (id);', 'README.md': '' }), 'new.sql');
    const options = { connection: nowhere, migrations, logger: false } as const;
    const files = ['03_note.sql', path.relative('.', path.join(migrations, '01_orders.down.sql')), elsewhere];
    const { migrations: judged, ...report } = await lint(options, { database: 'none', files });
    expect(judged.map(({ name, state }) => [name, state])).toEqual([
      ['01_orders.up.sql', 'unknown'],
      ['03_note.sql', 'unknown'],
      ['new.sql', 'outside'],
    ]);
    const [, note, outside] = judged;
    expect(note?.findings.filter(({ code }) => code === 'set-not-null-scan')).toEqual([]); // 01 has made it so
    expect(outside?.findings.map(({ code }) => code)).toContain('create-index-blocking');
    expect(report.ok).toBe(false);
    const empty = await makeDirectory();
    await expect(lint({ ...options, migrations: empty }, { database: 'none', files: [elsewhere] })).resolves.toMatchObject({ ok: false });
    await expect(lint(options, { database: 'none', files: ['04_none.sql'] })).rejects.toMatchObject({ code: 'EM_CONFIG_INVALID' });
    const readme = path.join(path.dirname(elsewhere), 'README.md');
    await expect(lint(options, { database: 'none', files: [readme] })).rejects.toMatchObject({ code: 'EM_MIGRATION_INVALID' });
    await expect(lint(options, { database: 'none', trace: true })).rejects.toMatchObject({ code: 'EM_CONFIG_INVALID' });
  });
});

describe('with a database', () => {
  test('what is pending is judged by its catalog, and what is applied by itself; nothing is changed', async () => {
    const { database, directory, options } = await makeProject({ '05_again.js': index() });
    await upgrade(options, { target: { steps: 4 } });
    const before = await contentsOf(database);
    const small = await lint(options);
    expect(small).toMatchObject({ ok: true, database: database.name, released: 'together', migrations: [{ name: '05_again.js' }] });
    expect(small.migrations[0]).toMatchObject({ state: 'pending', exactness: 'exact', compatible: true });
    expect(await lint({ ...options, lint: false })).toMatchObject({ ok: true, totals: small.totals });
    const large = await lint({ ...options, lint: { smallTableRows: 0 } });
    expect(large.migrations[0]?.findings.find(({ code }) => code === 'create-index-blocking')?.message).toMatch(
      /^create index locks "orders" \(\d+ kB, about \d+ rows\)/,
    );
    await writeFile(path.join(directory, '06_outside.txt'), '');
    const files = [names[0], names[1], '05_again.js'];
    const named = await lint({ ...options, lint: { smallTableRows: 0 } }, { files });
    expect(named.migrations.map(({ name, state, compatible }) => [name, state, compatible])).toEqual([
      [names[0], 'applied', true],
      [names[1], 'applied', true],
      ['05_again.js', 'pending', true],
    ]);
    expect(await contentsOf(database)).toEqual(before);
  });

  test('what pending migrations have made is used by nobody yet, unless each may be released alone', async () => {
    const { options } = await makeProject({ '05_again.js': index() });
    const large = { ...options, lint: { smallTableRows: 0 } };
    expect(codesOf(await lint(large))['05_again.js']).not.toContain('create-index-blocking');
    expect(codesOf(await lint(large, { files: ['05_again.js'] }))['05_again.js']).not.toContain('create-index-blocking');
    expect(codesOf(await lint(large, { released: 'apart' }))['05_again.js']).toContain('create-index-blocking');
  });

  test('it costs one connection, and none of the migrations that are applied is loaded', async () => {
    const { database, directory, options } = await makeProject();
    await upgrade(options);
    await writeFile(path.join(directory, names[0]), `throw new Error('loaded');`);
    const proxy = await startProxy(database.url);
    expect(await lint({ ...options, connection: proxy.urlOf(database.url) })).toMatchObject({ ok: true, migrations: [] });
    expect(proxy.counts()).toMatchObject({ connections: 1 });
  });

  test('a trace judges what is opaque, and is held against what was foreseen', async () => {
    const { database, options } = await makeProject({
      '05_hidden.sql': `do $$ begin execute 'alter table orders ' || 'alter column total type bigint'; end $$;`,
      '06_secret.js': index('export const config = { capture: false };'),
    });
    await upgrade(options, { target: { steps: 4 } });
    const before = await contentsOf(database);
    const report = await lint({ ...options, lint: { smallTableRows: 0 } }, { trace: true });
    expect(report).toMatchObject({ ok: false, trace: { madeBy: 'replay' } });
    const [hidden, secret] = report.migrations;
    expect(hidden?.findings.filter(({ code }) => code === 'trace-differs')).toMatchObject([
      {
        level: 'warn',
        message: expect.stringContaining('takes ACCESS EXCLUSIVE on public.orders, rewrites public.orders') as string,
        at: { migration: '05_hidden.sql', line: 1 },
      },
    ]);
    expect(hidden?.trace).toMatchObject([{ rewritten: ['public.orders'] }]);
    expect(secret).toMatchObject({ exactness: 'opaque', judgedBy: 'trace', compatible: false });
    expect(secret?.findings.map(({ code }) => code)).toEqual(expect.arrayContaining(['not-captured', 'create-index-blocking']));
    expect(secret?.findings.map(({ code }) => code)).not.toContain('trace-differs');
    expect(await contentsOf(database)).toEqual(before);
  });
});

test('another database than the expected one is asked nothing', async () => {
  const { url } = await createDatabase();
  const { options } = await makeProject();
  await expect(lint({ ...options, connection: url, expect: { database: 'production' } })).rejects.toMatchObject({
    code: 'EM_CHECK_FAILED',
  });
});
