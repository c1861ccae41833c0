import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { revision } from '../src/commands/revision.js';
import type { MigrationsInput } from '../src/config/migrations.js';
import type { Options } from '../src/config/index.js';
import { resolveConfig } from '../src/config/index.js';
import { writeRevision, type RevisionOptions } from '../src/revision/index.js';
import { oneLine, slugOf } from '../src/revision/message.js';
import { nextName } from '../src/revision/name.js';
import { refusalOf } from './source/fixture.js';
import { makeDirectory, makeInstalled } from './support/directories.js';
import { runCode } from './support/process.js';
import { createDatabase } from './support/servers.js';

const environment = process.env;
beforeEach(() => void (process.env = {}));
afterEach(() => void (process.env = environment));

const noon = new Date('2025-03-01T12:00:00.700Z');
type Asked = Partial<RevisionOptions> & { readonly migrations?: MigrationsInput };

const write = async (directory: string, { migrations, ...asked }: Asked = {}, now = noon) => {
  const config = resolveConfig({ mode: 'off', migrations: { directory, ...migrations } }).migrations;
  return await writeRevision(config, { message: 'add email', ...asked }, now);
};
/** The name of a new migration beside these files. */
const nameBeside = async (files: readonly string[], asked: Asked = {}) =>
  (await write(await makeDirectory(Object.fromEntries(files.map((file) => [file, '']))), asked)).name;

describe('the name of a new migration', () => {
  test('is the time in UTC and the message, in a directory that is made where there is none', async () => {
    const directory = path.join(await makeDirectory(), 'db/migrations');
    expect(await write(directory)).toEqual({
      name: '20250301120000_add_email.js',
      files: [path.join(directory, '20250301120000_add_email.js')],
      findings: [],
    });
  });

  test('sorts in the order of writing, also four times in one second, at the end of a day, and after one of another clock', async () => {
    const directory = await makeDirectory();
    const midnight = new Date('2025-12-31T23:59:58.999Z');
    const names: string[] = [];
    for (const message of ['zebra', 'yak', 'xerus', 'wolf']) names.push((await write(directory, { message }, midnight)).name);
    expect(names).toEqual(['20251231235958_zebra.js', '20251231235959_yak.js', '20260101000000_xerus.js', '20260101000001_wolf.js']);
    expect(readdirSync(directory).sort()).toEqual(names);
    expect((await write(directory, {}, noon)).name).toBe('20260101000002_add_email.js');
  });

  test.each([
    ['numbers', ['0001_a.js', '0009_b.js'], '0010_add_email.js'],
    ['numbers of two digits, with dashes', ['01-a.js', '02-b.js'], '03-add-email.js'],
    ['times with dashes', ['20240101000000-a.js'], '20250301120000-add-email.js'],
    ['days', ['20250301_a.js'], '20250302000000_add_email.js'],
    ['minutes', ['202503011200_a.js'], '20250301120100_add_email.js'],
    ['numbers that a later time of the clock does not fit', ['0001_a.js', '20240101000000_b.js'], '20250301120000_add_email.js'],
  ])('follows a project that has %s', async (_what, files, expected) => {
    expect(await nameBeside(files)).toBe(expected);
  });

  test('may have a form of its own', async () => {
    const named = async (fileName: string, files: string[] = []) => await nameBeside(files, { migrations: { fileName } });
    expect(await named('V{number}__{slug}')).toBe('V0001__add_email.js');
    expect(await named('V{number}__{slug}', ['V07__a.js'])).toBe('V08__add_email.js');
    expect(await named('{timestamp}-{slug}')).toBe('20250301120000-add-email.js');
    expect(await named('m{timestamp}.{slug}', ['m20250301120000.a.js'])).toBe('m20250301120001.add_email.js');
  });

  test.each(['{slug}', '{timestamp}', '{time}_{slug}', '../{timestamp}_{slug}', 'a\\{number}{slug}'])(
    'but not the form %s',
    async (fileName) => {
      const error = await refusalOf(nameBeside([], { migrations: { fileName } }));
      expect(error).toMatchObject({ code: 'EM_CONFIG_INVALID' });
      expect(error.message).toContain('migrations.fileName: expected a name such as "{timestamp}_{slug}"');
    },
  );

  test('is refused where it could not sort after the last one, and nothing is written', async () => {
    for (const last of ['init.js', '9999_z.js', '29999999999999_a.js']) {
      const directory = await makeDirectory({ [last]: '' });
      const error = await refusalOf(write(directory));
      expect(error).toMatchObject({ code: 'EM_CONFIG_INVALID', remedy: expect.stringContaining('migrations.fileName') as string });
      expect(error.message).toContain(`would sort before "${last}"`);
      expect(readdirSync(directory)).toEqual([last]);
    }
  });

  test('sorts after those of its own directory where directories are sorted one by one', async () => {
    const [one, two] = [await makeDirectory({ '0001_a.js': '' }), await makeDirectory({ '0007_b.js': '' })];
    const migrations = { directory: [one, two], sortDirsSeparately: true };
    const config = resolveConfig({ mode: 'off', migrations }).migrations;
    expect((await writeRevision(config, { message: 'x' })).files).toEqual([path.join(two, '0008_x.js')]);
    expect((await writeRevision(config, { message: 'x', directory: one })).files).toEqual([path.join(one, '0002_x.js')]);
    const merged = resolveConfig({ mode: 'off', migrations: [two, one] }).migrations;
    expect((await writeRevision(merged, { message: 'y' })).files).toEqual([path.join(one, '0009_y.js')]);
  });

  test('is no other name that there is, with whatever extension and in whatever directory', async () => {
    const [one, two] = [await makeDirectory({ '0001_a.js': '' }), await makeDirectory({ '0002_add_email.ts': '' })];
    const error = await refusalOf(write(one, { directory: one, migrations: { directory: [one, two], sortDirsSeparately: true } }));
    expect(error.message).toContain(`${path.join(two, '0002_add_email.ts')} is there already.`);
    expect(readdirSync(one)).toEqual(['0001_a.js']);
    expect(await nameBeside(['20250301120000_add_email.ts'], { extension: 'js' })).toBe('20250301120001_add_email.js');
  });

  test('is refused where it would overwrite what counts for nothing', async () => {
    const directory = await makeDirectory({ '20250301120000_add_email.down.sql/x': '' });
    const error = await refusalOf(write(directory, { extension: 'sql', migrations: { loadExtensions: ['.js', '.sql'] } }));
    expect(error).toMatchObject({ code: 'EM_MIGRATION_INVALID' });
    const other = await makeDirectory({ '20250301120000_add_email.js/x': '' });
    const taken = await refusalOf(write(other));
    expect(taken.message).toContain('20250301120000_add_email.js is there already.');
    expect((await refusalOf(write(other, { extension: 'sql', migrations: { loadExtensions: ['.js'] } }))).message).toContain(
      'leaves ".sql" out',
    );
    expect([readdirSync(directory), readdirSync(other)]).toMatchObject([{ length: 1 }, { length: 1 }]);
  });

  test('is refused where the history could not hold it', async () => {
    const error = await refusalOf(write(await makeDirectory(), { migrations: { fileName: `${'x'.repeat(250)}{number}{slug}` } }));
    expect(error.message).toContain('is longer than 255 bytes');
  });
});

describe('a message', () => {
  test.each([
    ['Add the patient’s E-Mail!', 'add_the_patients_e_mail'],
    ['Größe ändern, Łódź, crème brûlée', 'grosse_andern_lodz_creme_brulee'],
    ['Добавить ёлку', 'добавить_ёлку'],
    ['患者テーブルを追加', '患者テーブルを追加'],
    ['환자 추가', '환자_추가'],
    ['../../etc/passwd', 'etc_passwd'],
    ['a\nb\0c', 'a_b_c'],
    ['👩‍⚕️ doctors', 'doctors'],
    ['x'.repeat(300), 'x'.repeat(60)],
    [Array(40).fill('word').join(' '), Array(12).fill('word').join('_')],
  ])('%j gives the slug %s', (message, slug) => {
    expect(slugOf(message, '_')).toBe(slug);
  });

  test.each(['', '   ', '!?', '_', '\n', '👍'])('%j is refused, and nothing is written', async (message) => {
    const directory = await makeDirectory();
    const error = await refusalOf(write(directory, { message }));
    expect(error).toMatchObject({ code: 'EM_CONFIG_INVALID', remedy: expect.stringContaining('Say what the migration changes') as string });
    expect(readdirSync(directory)).toEqual([]);
  });

  test.each(['fix', 'update', 'Update database', 'changes', 'WIP', 'misc', 'temp', 'new migration', 'fix the db', 'Schema changes 2'])(
    '%j is warned of',
    async (message) => {
      const { findings, files } = await write(await makeDirectory(), { message });
      expect(findings).toMatchObject([{ code: 'revision-message', level: 'warn' }]);
      expect(files).toHaveLength(1);
    },
  );

  test.each(['add patient email', 'fix patient email', 'initial schema', 'drop temp_orders'])('%j is not', async (message) => {
    expect((await write(await makeDirectory(), { message })).findings).toEqual([]);
  });

  test('stays one line of comment, whatever is in it', async () => {
    const message = "a\u2028throw new Error('x')\r\n*/ `${b}` {{name}} $& transaction: maybe";
    expect(oneLine(message)).toBe("a throw new Error('x') */ `${b}` {{name}} $& transaction: maybe");
    for (const extension of ['cjs', 'sql']) {
      const { name, files } = await write(await makeDirectory(), { message, extension });
      const [first, second] = readFileSync(files[0] ?? '', 'utf8').split('\n');
      expect(first).toMatch(/^(\/\/|--) .*\{\{name\}\} \$& transaction: maybe$/);
      expect(second).not.toContain('throw');
      expect(name).toContain('a_throw_new_error_x');
    }
  });
});

describe('the file', () => {
  const packageJson = (type?: string) => JSON.stringify({ type });
  const written = async (files: Record<string, string>, asked: Asked = {}) => {
    const project = await makeDirectory(files);
    const { files: made } = await write(path.join(project, 'migrations'), asked);
    return made.map((file) => ({ ending: file.slice(file.indexOf('.', file.lastIndexOf('/'))), text: readFileSync(file, 'utf8') }));
  };

  test('is of the kind that the project is', async () => {
    expect(await written({ 'package.json': packageJson('module') })).toMatchObject([
      { ending: '.js', text: expect.stringContaining('export async') as string },
    ]);
    expect(await written({ 'package.json': packageJson() })).toMatchObject([
      { ending: '.js', text: expect.stringContaining('exports.up') as string },
    ]);
    expect(await written({ 'package.json': packageJson(), 'tsconfig.json': '{}' })).toMatchObject([
      { ending: '.ts', text: expect.stringContaining('import type { Knex }') as string },
    ]);
  });

  test('is of the kind of the last migration', async () => {
    const module = 'export const up = () => {};';
    const like = async (name: string, text = '') => (await written({ 'package.json': packageJson(), [`migrations/${name}`]: text }))[0];
    expect(await like('1_a.js', module)).toMatchObject({ ending: '.js', text: expect.stringContaining('export async') as string });
    expect(await like('1_a.js')).toMatchObject({ ending: '.js', text: expect.stringContaining('exports.up') as string });
    expect(await like('1_a.mjs')).toMatchObject({ ending: '.mjs', text: expect.stringContaining('export async') as string });
    expect(await like('1_a.ts')).toMatchObject({ ending: '.ts' });
    expect(await like('1_a.sql')).toMatchObject({ ending: '.sql' });
    expect(await like('1_a.up.sql')).toMatchObject({ ending: '.up.sql' });
  });

  test('is of the kind that is asked for, in a call or in the configuration', async () => {
    const files = { 'package.json': packageJson(), 'migrations/1_a.js': '' };
    expect((await written(files, { extension: 'sql' })).map(({ ending }) => ending)).toEqual(['.up.sql', '.down.sql']);
    expect((await written(files, { migrations: { extension: 'ts' } })).map(({ ending }) => ending)).toEqual(['.ts']);
    expect((await written(files, { extension: '.CJS', migrations: { extension: 'ts' } })).map(({ ending }) => ending)).toEqual(['.cjs']);
    const error = await refusalOf(written(files, { extension: 'coffee' }));
    expect(error.message).toContain('"coffee" is no extension of a migration.');
    expect(error.remedy).toBe('Ask for one of js, mjs, cjs, ts, mts, cts, sql.');
  });

  test('is made from the template of the project, or of the call', async () => {
    const stub = await makeDirectory({
      'team.txt': '// {{message}} in {{name}}, {message}\n',
      'other.txt': 'other',
      'knex.txt': '<%= d.x %>',
    });
    const migrations = { stub: path.join(stub, 'team.txt') };
    expect(await written({}, { migrations })).toMatchObject([{ text: '// add email in 20250301120000_add_email, {message}\n' }]);
    expect(await written({}, { migrations, stub: path.join(stub, 'other.txt') })).toMatchObject([{ text: 'other' }]);
    expect((await refusalOf(written({}, { stub: path.join(stub, 'gone.txt') }))).message).toMatch(/template .*gone\.txt cannot be read/);
    expect((await refusalOf(written({}, { stub: path.join(stub, 'knex.txt') }))).message).toContain('only knex fills in');
  });

  test('is not written where no boot would find it', async () => {
    const directory = await makeDirectory();
    const elsewhere = path.join(directory, 'elsewhere');
    const error = await refusalOf(write(directory, { directory: elsewhere }));
    expect(error.message).toContain(`no migration is looked for in ${elsewhere}, but in ${directory}.`);
    const migrations = { modules: { 'a.js': { up: () => undefined } } };
    expect((await refusalOf(revision({ migrations }, { message: 'x' }))).message).toContain('gives modules, not a directory');
    expect(readdirSync(directory)).toEqual([]);
  });

  test('is told of when the disk refuses it', async () => {
    const directory = await makeDirectory({ file: '' });
    const error = await refusalOf(write(path.join(directory, 'file/migrations')));
    expect(error.message).toMatch(/cannot be written: .*ENOTDIR/);
  });

  test('is not written beside migrations that are not in order', async () => {
    const directory = await makeDirectory({ 'a.js': '', 'a.cjs': '' });
    await expect(write(directory)).rejects.toMatchObject({ code: 'EM_MIGRATION_INVALID' });
    expect(readdirSync(directory)).toHaveLength(2);
  });
});

test('needs no database, and says of wrong options what a boot says', async () => {
  const directory = await makeDirectory();
  expect((await revision({ migrations: directory }, { message: 'add email' })).name).toMatch(/^\d{14}_add_email\.js$/);
  const error = await refusalOf(revision({ migration: directory } as Options, { message: 'add email' }));
  expect(error.message).toContain('did you mean "migrations"?');
});

test('of two that write the same name at once one is refused', async () => {
  const directory = await makeDirectory();
  const [one, two] = await Promise.allSettled([write(directory), write(directory)]);
  expect([one.status, two.status].sort()).toEqual(['fulfilled', 'rejected']);
  expect(readdirSync(directory)).toEqual(['20250301120000_add_email.js']);
});

test('every kind runs up and down as it is written, and does nothing', async () => {
  const database = await createDatabase();
  for (const type of ['module', 'commonjs']) {
    const project = await makeInstalled({ 'package.json': JSON.stringify({ type }) });
    const directory = path.join(project, 'migrations');
    const extensions = ['js', 'mjs', 'cjs', 'ts', 'mts', 'sql'];
    for (const extension of extensions) await write(directory, { extension, message: `${type} ${extension}` });
    const schema = `s_${type}`;
    await database.query(`create schema ${schema}`);
    const { code, stdout, stderr } = await runCode(upAndDown(project), {
      cwd: project,
      env: { DATABASE_URL: database.url, SCHEMA: schema },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toEqual({ applied: 6, down: 6 });
    expect(await database.query(`select count(*)::int as count from ${schema}.knex_migrations`)).toEqual([{ count: 6 }]);
    const tables = await database.query(
      `select table_name as name from information_schema.tables where table_schema = '${schema}' order by 1`,
    );
    expect(tables.map(({ name }) => name as string)).toEqual(['knex_migrations', 'knex_migrations_journal', 'knex_migrations_lock']);
  }
});

/** Boots, and then calls each `down` on a pool of knex's own. */
function upAndDown(project: string): string {
  const dist = pathToFileURL(path.join(project, 'node_modules/ensure-migrated/dist/')).href;
  return `
    import { ensureMigrated } from 'ensure-migrated';
    import createKnex from 'knex';
    const { listMigrations } = await import('${dist}source/index.js');
    const { resolveConfig } = await import('${dist}config/index.js');
    const options = { migrations: { directory: 'migrations', schemaName: process.env.SCHEMA }, logger: false, rules: { 'history-unmanaged': 'off' } };
    const { applied } = await ensureMigrated(options);
    const knex = createKnex({ client: 'pg', connection: process.env.DATABASE_URL });
    let down = 0;
    for (const migration of await listMigrations(resolveConfig(options).migrations)) {
      const loaded = await migration.load();
      await (typeof loaded.down === 'function' ? loaded.down(knex) : knex.raw(loaded.down.text));
      down++;
    }
    await knex.destroy();
    console.log(JSON.stringify({ applied: applied.length, down }));`;
}

test('the slug is asked for with the separator of the form', () => {
  const slug = (separator: string) => `a${separator}b`;
  expect(nextName({ fileName: '{number}-{slug}', last: undefined, now: noon, slug })).toBe('0001-a-b');
});
