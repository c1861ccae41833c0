import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { listMigrations } from '../../src/source/index.js';
import { configOf, directoryOf, refusalOf } from './fixture.js';

const js = 'export const up = () => {}; export const down = () => {};';

describe('a directory', () => {
  test('is listed in the code-unit order of its file names', async () => {
    const directory = directoryOf({ 'b.js': js, 'B.js': js, 'a.js': js, 'é.js': js, '10.js': js, '9.js': js, '_.js': js });
    expect(await namesIn([directory])).toEqual(['10.js', '9.js', 'B.js', '_.js', 'a.js', 'b.js', 'é.js']);
  });

  test("holds knex's extensions, .mjs, .mts, .cts and .sql, and nothing else counts", async () => {
    const names = [
      'a.co',
      'b.coffee',
      'c.eg',
      'd.iced',
      'e.js',
      'f.cjs',
      'g.litcoffee',
      'h.ls',
      'i.ts',
      'j.mjs',
      'k.mts',
      'l.cts',
      'm.sql',
    ];
    const others = ['README.md', '.js', 'n.d.ts', 'n.d.mts', 'n.d.cts', 'e.js.map', 'o.json', 'knexfile', 'p.JS'];
    const directory = directoryOf(Object.fromEntries([...names, ...others].map((name) => [name, js])));
    expect(await namesIn([directory])).toEqual(names);
  });

  test('holds exactly the loadExtensions that a knex user gave', async () => {
    const directory = directoryOf({ 'a.js': js, 'b.ts': js, 'c.sql': 'select 1', 'd.d.ts': '' });
    expect(await namesIn([directory], { loadExtensions: ['.ts'] })).toEqual(['b.ts']);
  });

  test('is not searched recursively, also where a directory is named like a migration', async () => {
    const directory = directoryOf({ 'a.js': js, 'b/c.js': js });
    mkdirSync(path.join(directory, 'd.js'));
    expect(await namesIn([directory])).toEqual(['a.js']);
  });

  test('gives the JavaScript of two files of which one is the TypeScript source of the other', async () => {
    const directory = directoryOf({ 'a.js': js, 'a.ts': js, 'b.mjs': js, 'b.mts': js, 'c.cjs': js, 'c.cts': js, 'd.ts': js });
    expect(await namesIn([directory])).toEqual(['a.js', 'b.mjs', 'c.cjs', 'd.ts']);
  });

  test('names a migration by its file, compares it without the extension and imports nothing', async () => {
    const directory = directoryOf({ '0001_a.js': 'throw new Error("imported")', '0002_b.up.sql': 'select 1', '0002_b.down.sql': '' });
    const migrations = await listMigrations(configOf({ directories: [directory] }));
    expect(migrations).toMatchObject([
      { name: '0001_a.js', id: '0001_a', file: path.join(directory, '0001_a.js') },
      { name: '0002_b.up.sql', id: '0002_b.up.sql', file: path.join(directory, '0002_b.up.sql') },
    ]);
  });
});

describe('several directories', () => {
  const early = (): string => directoryOf({ '1.js': js, '4.js': js });
  const late = (): string => directoryOf({ '2.js': js, '3.js': js });

  test('are merged and sorted by file name', async () => {
    expect(await namesIn([late(), early()])).toEqual(['1.js', '2.js', '3.js', '4.js']);
  });
  test('follow each other with sortDirsSeparately', async () => {
    expect(await namesIn([late(), early()], { sortDirsSeparately: true })).toEqual(['2.js', '3.js', '1.js', '4.js']);
  });
  test('may be empty but one', async () => {
    expect(await namesIn([early(), directoryOf({})])).toEqual(['1.js', '4.js']);
  });
});

describe('EM_NO_MIGRATIONS', () => {
  test('names the directory that is missing, also when another one has migrations', async () => {
    const directory = directoryOf({ '1.js': js });
    const missing = path.join(directory, 'not-there');
    const error = await refusalOf(namesIn([directory, missing]));
    expect(error.message).toBe(
      `the migrations directory ${missing} does not exist (a container image without its files is a usual mistake).\n  ${error.remedy}`,
    );
    expect(error).toMatchObject({ code: 'EM_NO_MIGRATIONS', cause: { code: 'ENOENT' } });
  });

  test('names the directory that is empty', async () => {
    const directory = directoryOf({ 'README.md': '' });
    const error = await refusalOf(namesIn([directory]));
    expect(error.message).toContain(`the migrations directory ${directory} holds no migration (a container image without`);
    expect(error.code).toBe('EM_NO_MIGRATIONS');
  });

  test('names all directories when all are empty, and the extensions that the user asked for', async () => {
    const [one, two] = [directoryOf({ 'a.js': js }), directoryOf({})];
    const error = await refusalOf(namesIn([one, two], { loadExtensions: ['.ts', '.mts'] }));
    expect(error.message).toContain(`the migrations directories ${one}, ${two} hold no file ending in .ts or .mts`);
  });

  test('says what a path is that is no directory', async () => {
    const file = path.join(directoryOf({ '1.js': js }), '1.js');
    const error = await refusalOf(namesIn([file]));
    expect(error.message).toContain(`${file} cannot be read: ENOTDIR`);
    expect(error.code).toBe('EM_NO_MIGRATIONS');
  });
});

describe('EM_MIGRATION_INVALID', () => {
  test('one migration in two directories', async () => {
    const [one, two] = [directoryOf({ 'a.js': js }), directoryOf({ 'a.ts': js })];
    expect(await findingsOf([one, two])).toEqual([
      {
        code: 'migration-duplicate',
        level: 'error',
        message: `it is the same migration as ${path.join(one, 'a.js')}: names compare without their extension.`,
        remedy: 'Rename or remove one of the two.',
        at: { migration: 'a.ts', file: path.join(two, 'a.ts') },
      },
    ]);
  });

  test('two squashes that stand for one migration, unless one of them was squashed again', async () => {
    const replaces = (...names: string[]) => names.map((name) => `-- replaces: ${name}\n`).join('');
    const old = { '1.js': js, '2.js': js, '3.js': js };
    const first = { '2_squash.sql': replaces('1.js', '2.js') };
    expect(await findingsOf([directoryOf({ ...old, ...first, '3_squash.sql': replaces('1.js', '2.js', '3.js') })])).toMatchObject([
      {
        code: 'migration-squashed-twice',
        message: expect.stringContaining('2_squash.sql stands for as well') as string,
        at: { migration: '3_squash.sql' },
      },
    ]);
    const again = replaces('1.js', '2.js', '2_squash.sql (and all above)', '3.js');
    expect(await namesIn([directoryOf({ ...old, ...first, '3_squash.sql': again })])).toHaveLength(5);
  });

  test('the JavaScript of one migration in two formats', async () => {
    expect(await findingsOf([directoryOf({ 'a.js': js, 'a.mjs': js })])).toMatchObject([{ code: 'migration-duplicate' }]);
  });

  test.each([
    ['a way down without the way up', { 'a.down.sql': '' }, 'a.down.sql', 'there is no a.up.sql beside it.'],
    ['a way down beside a plain .sql', { 'a.down.sql': '', 'a.sql': '' }, 'a.down.sql', 'there is no a.up.sql beside it.'],
    [
      'a plain .sql beside the way up',
      { 'a.up.sql': '', 'a.sql': '' },
      'a.up.sql',
      'a.sql stands beside it, and only one of the two can be the way up.',
    ],
  ])('%s', async (_what, files, migration, message) => {
    expect(await findingsOf([directoryOf(files)])).toMatchObject([
      { code: 'migration-unpaired', level: 'error', message, at: { migration } },
    ]);
  });

  test('a link to a file that is gone', async () => {
    const directory = directoryOf({ 'a.js': js });
    symlinkSync(path.join(directory, 'gone.js'), path.join(directory, 'b.js'));
    const [finding] = await findingsOf([directory]);
    expect(finding).toMatchObject({ code: 'migration-unreadable', at: { migration: 'b.js' } });
    expect(finding?.message).toContain('it cannot be read: ENOENT');
  });

  test('says all of it in one message', async () => {
    const error = await refusalOf(namesIn([directoryOf({ 'a.down.sql': '', 'b.down.sql': '' })]));
    expect(error.message).toMatch(/^2 faults in the migrations:\n {2}a\.down\.sql: there is no .*\n {2}b\.down\.sql: there is no /);
  });
});

describe('a checksum', () => {
  const checksumOf = async (content: string | Uint8Array, name = 'a.js'): Promise<string | undefined> => {
    const [migration] = await listMigrations(configOf({ directories: [directoryOf({ [name]: content })] }));
    return migration?.checksum;
  };
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

  test('is the extension and the SHA-256 of the source', async () => {
    expect(await checksumOf('one\ntwo\n')).toBe(`js:${sha256('one\ntwo\n')}`);
    expect(await checksumOf('one\ntwo\n', 'a.mts')).toBe(`mts:${sha256('one\ntwo\n')}`);
    expect(await checksumOf('one\ntwo\n', 'a.up.sql')).toBe(`sql:${sha256('one\ntwo\n')}`);
  });

  test.each([
    ['CRLF line ends', 'one\r\ntwo\r\n'],
    ['a byte order mark', '\uFEFFone\ntwo\n'],
    ['both', '\uFEFFone\r\ntwo\r\n'],
  ])('is not changed by %s', async (_what, content) => {
    expect(await checksumOf(content)).toBe(await checksumOf('one\ntwo\n'));
  });

  test.each([
    ['a space', 'one\ntwo \n'],
    ['a missing line end', 'one\ntwo'],
    ['a lone carriage return', 'one\n\rtwo\n'],
    ['an accent', 'onè\ntwo\n'],
  ])('is changed by %s', async (_what, content) => {
    expect(await checksumOf(content)).not.toBe(await checksumOf('one\ntwo\n'));
  });

  test('of an .up.sql leaves its .down.sql out', async () => {
    const sums = await Promise.all(
      ['select 1', 'select 2'].map(async (down) => {
        const directory = directoryOf({ 'a.up.sql': 'create table a ()', 'a.down.sql': down });
        return (await listMigrations(configOf({ directories: [directory] })))[0]?.checksum;
      }),
    );
    expect(new Set(sums).size).toBe(1);
  });
});

test('the event loop gets its turn while a thousand files are listed', async () => {
  const directory = directoryOf(Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`${index + 1000}.js`, js])));
  let turns = 0;
  const count = setInterval(() => turns++, 0);
  const listing = listMigrations(configOf({ directories: [directory] }));
  expect(await listing).toHaveLength(1000);
  clearInterval(count);
  expect(turns).toBeGreaterThan(0);
});

async function namesIn(directories: readonly string[], given: Parameters<typeof configOf>[0] = {}): Promise<string[]> {
  return (await listMigrations(configOf({ directories, ...given }))).map(({ name }) => name);
}

async function findingsOf(directories: readonly string[]) {
  const error = await refusalOf(namesIn(directories));
  expect(error.code).toBe('EM_MIGRATION_INVALID');
  return error.findings;
}
