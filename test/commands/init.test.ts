import { appendFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { init } from '../../src/commands/index.js';
import { makeDirectory, makeInstalled } from '../support/directories.js';
import { root } from '../support/majors.js';
import { startScript } from '../support/process.js';
import { createDatabase } from '../support/servers.js';
import { refusalOf } from '../source/fixture.js';
import { expectPrinted } from '../support/json-schemas.js';

const packageJson = (fields: object = {}) => JSON.stringify({ name: 'clinic', ...fields });
const timed = (name: string) => expect.stringMatching(new RegExp(`^migrations/\\d{14}_${name}$`)) as string;

/** Every file of a project but those of node_modules, with its text. */
async function contentsOf(directory: string): Promise<Record<string, string>> {
  const names = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const files = names.map(({ parentPath, name }) => path.join(parentPath, name)).filter((file) => !file.includes('node_modules'));
  return Object.fromEntries(
    await Promise.all(files.map(async (file) => [path.relative(directory, file), await readFile(file, 'utf8')] as const)),
  );
}

const initIn = async (files: Record<string, string>, asked = {}) => {
  const directory = await makeDirectory(files);
  const result = await init({}, { directory, ...asked });
  const relative = (file: string) => path.relative(directory, file);
  return { directory, ...result, files: result.files.map(relative), left: result.left.map(relative) };
};

describe('init', () => {
  test.each([
    ['an ES module', { 'package.json': packageJson({ type: 'module' }) }, 'ensure-migrated.config.js', 'initial_schema\\.js'],
    ['CommonJS', { 'package.json': packageJson() }, 'ensure-migrated.config.js', 'initial_schema\\.js'],
    ['TypeScript', { 'package.json': packageJson(), 'tsconfig.json': '{}' }, 'ensure-migrated.config.ts', 'initial_schema\\.ts'],
    ['nothing yet', {}, 'ensure-migrated.config.js', 'initial_schema\\.js'],
  ])('writes a configuration and a first migration for a project that is %s', async (_what, files, config, migration) => {
    expect(await initIn(files)).toMatchObject({ files: [config, timed(migration)], left: [] });
  });

  test('a second time changes nothing, and gives the same lines', async () => {
    const { directory, bootLines } = await initIn({ 'package.json': packageJson() });
    const before = await contentsOf(directory);
    const again = await init({}, { directory });
    expect(again).toMatchObject({
      files: [],
      left: [path.join(directory, 'ensure-migrated.config.js'), path.join(directory, 'migrations')],
      bootLines,
    });
    expect(await contentsOf(directory)).toEqual(before);
  });

  test('leaves a configuration of any kind, and migrations, as they are', async () => {
    const files = { 'package.json': packageJson(), 'ensure-migrated.config.mjs': 'export default {};' };
    expect(await initIn(files)).toMatchObject({ files: [timed('initial_schema\\.js')], left: ['ensure-migrated.config.mjs'] });
    const migrations = { 'package.json': packageJson(), 'migrations/1.js': '' };
    expect(await initIn(migrations)).toMatchObject({ files: ['ensure-migrated.config.js'], left: ['migrations'] });
    expect(await initIn({ 'migrations/.gitkeep': '' })).toMatchObject({ files: [expect.anything(), timed('initial_schema\\.js')] });
  });

  test('writes what is asked for', async () => {
    expect((await initIn({}, { extension: 'mjs' })).files).toEqual(['ensure-migrated.config.mjs', timed('initial_schema\\.mjs')]);
    expect((await initIn({ 'package.json': packageJson() }, { extension: 'sql' })).files).toEqual([
      'ensure-migrated.config.js',
      timed('initial_schema\\.up\\.sql'),
      timed('initial_schema\\.down\\.sql'),
    ]);
    const directory = await makeDirectory();
    const error = await refusalOf(init({}, { directory, extension: 'coffee' }));
    expect(error).toMatchObject({ code: 'EM_CONFIG_INVALID', remedy: expect.stringContaining('Ask for one of js') as string });
    expect(await readdir(directory)).toEqual([]);
    const project = await makeDirectory({ 'migrations/1.js': '' }); // no migration is written there, which would refuse it
    expect(await refusalOf(init({}, { directory: project, extension: 'exe' }))).toMatchObject({ code: 'EM_CONFIG_INVALID' });
    expect(await readdir(project)).toEqual(['migrations']);
  });

  test('puts the migrations where they are asked to be, and the configuration says so', async () => {
    const directory = await makeDirectory({ 'package.json': packageJson({ type: 'module' }) });
    await init({ migrations: path.join(directory, 'db/steps') }, { directory });
    expect(await readdir(path.join(directory, 'db/steps'))).toHaveLength(1);
    expect(await readFile(path.join(directory, 'ensure-migrated.config.js'), 'utf8')).toContain(`new URL('./db/steps', import.meta.url)`);
  });

  test('writes nothing beside a knexfile, which is read as it stands', async () => {
    const { directory, ...result } = await initIn({ 'package.json': packageJson(), 'knexfile.js': 'module.exports = {};' });
    expect(result).toMatchObject({ files: [], left: ['knexfile.js'] });
    expect(result.bootLines).toContain('  await ensureMigrated({ knex }).catch((error) => {');
    expect(Object.keys(await contentsOf(directory)).sort()).toEqual(['knexfile.js', 'package.json']);
  });

  test.each([
    ['fastify', '// await app.listen(...) comes after it'],
    ['express', '// app.listen(...) comes after it'],
    ['pg', '// server.listen(...) comes after it'],
  ])('says for %s what comes after the boot', async (dependency, line) => {
    const { bootLines } = await initIn({ 'package.json': packageJson({ type: 'module', dependencies: { [dependency]: '*' } }) });
    expect(bootLines.at(-1)).toMatch(new RegExp(`^${line.replace(/[.()]/g, '\\$&')}\\. .*createProbe`));
  });

  test('finds the file in which the application boots, and imports from there', async () => {
    const module = await initIn({ 'package.json': packageJson({ type: 'module' }), 'src/server.js': '' });
    expect(path.relative(module.directory, module.bootFile ?? '')).toBe('src/server.js');
    expect(module.bootLines).toContain(`import config from '../ensure-migrated.config.js';`);
    const detected = await initIn({ 'package.json': packageJson(), 'index.js': `import http from 'node:http';` });
    expect(detected.bootLines[0]).toBe(`import { ensureMigrated } from 'ensure-migrated';`);
    const typescript = { 'package.json': packageJson({ type: 'module' }), 'src/main.ts': '' };
    expect((await initIn({ ...typescript, 'tsconfig.json': '{}' })).bootLines).toContain(
      `import config from '../ensure-migrated.config.js';`,
    );
    expect(
      (await initIn({ ...typescript, 'tsconfig.json': '{ "compilerOptions": { "allowImportingTsExtensions": true } }' })).bootLines,
    ).toContain(`import config from '../ensure-migrated.config.ts';`);
  });

  test('says which package.json cannot be read, and writes nothing', async () => {
    const directory = await makeDirectory({ 'package.json': '{' });
    const error = await refusalOf(init({}, { directory }));
    expect(error).toMatchObject({ code: 'EM_CONFIG_INVALID', remedy: `Correct ${path.join(directory, 'package.json')}.` });
    expect(await readdir(directory)).toEqual(['package.json']);
  });
});

const cli = path.join(root, 'dist/cli/main.js');

describe('a project that was made by init boots, with the lines as they are', () => {
  test.each([
    ['an ES module', 'main.js', { 'package.json': packageJson({ type: 'module' }) }],
    ['CommonJS', 'main.js', { 'package.json': packageJson() }],
    ['TypeScript in ES modules', 'src/main.ts', { 'package.json': packageJson({ type: 'module' }), 'tsconfig.json': '{}' }],
    ['TypeScript in CommonJS', 'src/main.ts', { 'package.json': packageJson(), 'tsconfig.json': '{}' }],
    [
      'a knexfile',
      'main.js',
      {
        'package.json': packageJson(),
        'knexfile.js': `module.exports = { client: 'pg', connection: process.env.DATABASE_URL };`,
        'migrations/1.js': 'exports.up = exports.down = async () => {};',
      },
    ],
  ])('in %s', async (_what, main, files) => {
    const database = await createDatabase();
    const directory = await makeInstalled(files);
    await mkdir(path.join(directory, path.dirname(main)), { recursive: true });
    await writeFile(path.join(directory, main), '');
    const made = await startScript(cli, { args: ['init', '--json'], cwd: directory }).ended;
    expect(made).toMatchObject({ code: 0, stderr: '' });
    expectPrinted('init', made.stdout);
    const { bootLines, bootFile } = JSON.parse(made.stdout) as { bootLines: string[]; bootFile: string };
    expect(path.basename(bootFile)).toBe(path.basename(main));
    await appendFile(bootFile, bootLines.join('\n'));
    const env = { DATABASE_URL: database.url };
    const nodeArgs = main.endsWith('.ts') ? ['--import', 'tsx'] : [];
    const booted = await startScript(bootFile, { env, cwd: directory, nodeArgs }).ended;
    expect(booted).toMatchObject({ code: 0, stderr: '' });
    expect(await database.query('select count(*)::int as count from knex_migrations')).toEqual([{ count: 1 }]);
    const status = await startScript(cli, { args: ['status', '--json'], env, cwd: directory }).ended;
    expect(status).toMatchObject({ code: 0, stderr: '' });
    expectPrinted('status', status.stdout);
    expect(JSON.parse(status.stdout)).toMatchObject({ inSync: true, pending: [] });
  });
});

test('a process that was made by init ends with the exit code of what refuses its boot', async () => {
  const { directory, bootLines } = await initIn({ 'package.json': packageJson({ type: 'module' }) });
  const main = path.join(await makeInstalled(await contentsOf(directory)), 'main.js');
  await writeFile(main, [...bootLines, `console.log('listens');`].join('\n'));
  const ended = await startScript(main, { env: { ENSURE_MIGRATED_MODE: 'nonsense' } }).ended;
  expect(ended).toMatchObject({ code: 78, stdout: '', stderr: expect.stringContaining('EM_CONFIG_INVALID') as string });
});

test('revision and upgrade on the command line carry on where init has stopped', async () => {
  const database = await createDatabase();
  const directory = await makeInstalled({ 'package.json': packageJson({ type: 'module' }) });
  const run = async (...args: string[]) => await startScript(cli, { args, env: { DATABASE_URL: database.url }, cwd: directory }).ended;
  expect((await run('init')).stdout).toMatch(
    /^Wrote ensure-migrated\.config\.js\nWrote migrations\/\d{14}_initial_schema\.js\nFill the migration in .*\n\nWhere the application boots:\n\nimport/,
  );
  expect(await run('revision', 'fix', '--extension', 'sql')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(
      /^Wrote migrations\/\d{14}_fix\.up\.sql\nWrote .*_fix\.down\.sql\nwarn revision-message: the message "fix"/,
    ) as string,
  });
  expect(await run('revision', '!')).toMatchObject({
    code: 78,
    stdout: '',
    stderr: expect.stringContaining('EM_CONFIG_INVALID') as string,
  });
  expect(await run('upgrade')).toMatchObject({ code: 0, stdout: expect.stringContaining('Applied: 2') as string });
  expect((await run('current')).stdout).toMatch(/_fix\.up\.sql \(head\)\n$/);
  expect(await run('downgrade', 'base', '--yes')).toMatchObject({ code: 0, stdout: expect.stringContaining('Taken back: 2') as string });
  expect(await database.query('select name from knex_migrations')).toEqual([]);
});
