import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { ensureMigrated, isMigrationError } from '../../src/index.js';
import { makeDirectory } from '../support/directories.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

const numRuns = Number(process.env['FUZZ_RUNS'] ?? 10);

let database: TestDatabase;
let made = 0;

beforeAll(async () => {
  database = await createDatabase();
});

const stem = fc.oneof(
  fc.constantFrom(
    '1',
    '1_a',
    '1_A',
    '2 b',
    '3..c',
    '.hidden',
    'ü',
    'u\u0308',
    '\u{1f600}',
    'x'.repeat(240),
    'a\nb',
    'a\u0007',
    '-- x',
    '%41',
    '#',
    '?',
    '__proto__',
    'index',
  ),
  fc.string({ maxLength: 6 }).map((each) => each.replaceAll(/[/\0]/g, '_') || 'e'),
);
const extension = fc.constantFrom('.js', '.mjs', '.cjs', '.ts', '.sql', '.up.sql', '.down.sql', '.d.ts', '.js.map', '.JS', '.txt', '');
const config = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }).map((each) => JSON.stringify(each)),
  fc.constantFrom(
    '{ transaction: false }',
    '{ transaction: 0 }',
    '{ safe: 5 }',
    '{ safe: { x: null } }',
    '{ requires: [] }',
    '{ requires: { extensions: 1 } }',
    '{ get transaction() { throw 1 } }',
    '() => 1',
    'Symbol("x")',
    'new Proxy({}, {})',
    '10n',
  ),
);
const up = fc.constantFrom(
  '() => undefined',
  '() => 5',
  '() => Promise.resolve(1)',
  'async () => { throw undefined }',
  '() => { throw null }',
  '() => { throw Symbol("x") }',
  '5',
  'null',
  'undefined',
  '"select 1"',
  '{}',
  'class {}',
  'async (knex) => { await knex.raw("select ?", [1]) }',
  '() => ({ then: 5 })',
  '() => ({ then() { throw 1 } })',
  'function* () {}',
  '(knex) => knex.schema',
);
const content = fc.oneof(
  fc.tuple(up, config).map(([each, settings]) => `export const up = ${each}; export const config = ${settings};`),
  up.map((each) => `export default { up: ${each} };`),
  up.map((each) => `exports.up = ${each};`),
  up.map((each) => `module.exports = ${each};`),
  fc.constantFrom(
    '',
    '\ufeff',
    '\ufeffselect 1;\r\n',
    'throw 1;',
    'throw null',
    'throw Object.freeze(new Error("x"))',
    'import "./none.js"',
    'await 0; export const up = () => 1',
    '{{{',
    'export const up = async () => {}; export { up as "down" }',
    '-- transaction: false\nselect 1; select',
    '-- transaction: maybe\n',
    '-- breaking: \n',
    '$$',
    "select '",
    '/*',
    ';;;',
    'select 1',
    'begin; commit;',
    '\0',
    '-- replaces: x\nselect 1',
  ),
  fc.string(),
);
const file = fc.record({ stem, extension, content, kind: fc.constantFrom('file', 'file', 'file', 'file', 'directory', 'symlink') });

test('whatever stands in the directory of migrations: it works, or is refused with a code that says what to do', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 3 }), async (files) => {
      const directory = await makeDirectory({});
      for (const { stem: name, extension: end, content: text, kind } of files) {
        const target = path.join(directory, `${name}${end}`);
        const writing =
          kind === 'directory'
            ? mkdir(target)
            : kind === 'symlink'
              ? symlink(text.replaceAll('\0', '') || 'none', target)
              : writeFile(target, text);
        await writing.catch(() => undefined); // a name that the file system does not take
      }
      const schema = `files_${++made}`;
      await database.query(`create schema ${schema}`);
      const migrations = { directory, schemaName: schema };
      const error: unknown = await ensureMigrated({
        connection: database.url,
        migrations,
        searchPath: [schema],
        logger: false,
        timeouts: { silenceMs: 500, callMs: 5_000 },
      }).catch((thrown: unknown) => thrown ?? 'nothing');
      if (error && typeof error === 'object' && 'status' in error) return;
      if (!isMigrationError(error) || error.code === 'EM_INTERNAL') throw error as Error;
      expect(error.remedy).not.toBe('');
    }),
    { numRuns, endOnFailure: true, ...(process.env['FUZZ_SEED'] && { seed: Number(process.env['FUZZ_SEED']) }) },
  );
}, 600_000);
