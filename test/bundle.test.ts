import { copyFile, cp, readdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { bundledNames, bundledProject, commonJsProject } from './support/bundle.js';
import { makeDirectory, makeInstalled, type Files } from './support/directories.js';
import { root } from './support/majors.js';
import { startScript, type Exit } from './support/process.js';
import { createDatabase } from './support/servers.js';

describe.each([
  { format: 'an ES module', files: bundledProject(), main: 'main.mjs' },
  { format: 'CommonJS', files: commonJsProject(), main: 'main.cjs' },
])('bundled by esbuild into $format as docs/bundling.md shows', ({ files, main }) => {
  let bundle: string;
  beforeAll(async () => (bundle = await bundleOf(files)));

  test('an application migrates and boots from the bundle alone', async () => {
    expect(await readdir(bundle)).toEqual(['libpg-query.wasm', main].sort());
    const { url, query } = await createDatabase();
    expect(await boot(bundle, main, url)).toMatchObject({ code: 0, stdout: expect.stringMatching(/ready: migrated\n$/) as string });
    expect(await boot(bundle, main, url)).toMatchObject({ code: 0, stdout: 'ready: in-sync\n', stderr: '' });
    expect((await query('select name from knex_migrations order by id')).map(({ name }) => name as string)).toEqual(bundledNames);
    expect(await query('select email from patients')).toEqual([{ email: 'ada@example.org' }]);
  });
});

test('a bundle without the grammar beside it changes nothing, and says which file is missing', async () => {
  const bundle = await makeDirectory();
  await copyFile(path.join(await bundleOf(bundledProject()), 'main.mjs'), path.join(bundle, 'main.mjs'));
  const { url, query } = await createDatabase();
  const { code, stderr } = await boot(bundle, 'main.mjs', url);
  expect(code).toBe(1);
  expect(stderr).toContain("code: 'EM_PARSER_MISSING'");
  expect(stderr).toContain(path.join(bundle, 'libpg-query.wasm'));
  expect(await query(`select from pg_class where relname in ('patients', 'knex_migrations')`)).toEqual([]);
  expect(
    await query(
      `select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`,
    ),
  ).toEqual([]);
});

/** Runs build.js, and gives a copy of what it made, in a directory in reach of no node_modules. */
async function bundleOf(files: Files): Promise<string> {
  const project = await makeInstalled(files);
  await symlink(path.join(root, 'node_modules/esbuild'), path.join(project, 'node_modules/esbuild'));
  expect(await startScript('build.js', { cwd: project }).ended).toMatchObject({ code: 0, stderr: '' });
  const bundle = await makeDirectory();
  await cp(path.join(project, 'dist'), bundle, { recursive: true });
  return bundle;
}

async function boot(bundle: string, main: string, url: string): Promise<Exit> {
  return await startScript(main, { cwd: bundle, env: { DATABASE_URL: url } }).ended;
}
