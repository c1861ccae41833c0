import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Knex } from 'knex';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findConfigFile, loadConfigFile, type ConfigRequest } from '../src/config-file/index.js';
import { resolveConfig, type Config, type Options } from '../src/config/index.js';
import { ensureMigrated } from '../src/index.js';
import { makeDirectory, makeInstalled } from './support/directories.js';
import { runCode } from './support/process.js';
import { createDatabase } from './support/servers.js';
import { refusalOf } from './source/fixture.js';

const url = 'postgres://app:s3cret@db:5432/clinic';
const environment = process.env;
beforeEach(() => void (process.env = {}));
afterEach(() => void (process.env = environment));

type Asked = Partial<ConfigRequest>;
const load = async (directory: string, asked: Asked = {}) => await loadConfigFile({ directory, ...asked });
const optionsOf = async (files: Record<string, string>, asked: Asked = {}) => (await load(await makeDirectory(files), asked)).options;
const resolved = async (files: Record<string, string>, asked: Asked = {}): Promise<Config> => resolveConfig(await optionsOf(files, asked));
const text = (options: object) => `export default ${JSON.stringify(options)};`;
const commonJs = (options: object) => `module.exports = ${JSON.stringify(options)};`;

describe('the file of a project', () => {
  test('is ensure-migrated.config of any kind, else a knexfile, else none', async () => {
    const found = async (...names: string[]) => {
      const directory = await makeDirectory(Object.fromEntries(names.map((name) => [name, text({ client: 'pg' })])));
      return path.relative(directory, findConfigFile(directory) ?? directory);
    };
    expect(await found('knexfile.mjs', 'ensure-migrated.config.ts')).toBe('ensure-migrated.config.ts');
    expect(await found('knexfile.mjs', 'ensure-migrated.config.json')).toBe('ensure-migrated.config.json');
    expect(await found('ensure-migrated.config.json', 'ensure-migrated.config.cts')).toBe('ensure-migrated.config.cts');
    expect(await found('knexfile.cts', 'knexfile.mjs')).toBe('knexfile.mjs');
    expect(await found('knexfile.json')).toBe('');
    expect(await found('other.js')).toBe('');
  });

  test('is not needed: without one the flags are all there is', async () => {
    expect(await load(await makeDirectory(), { flags: { mode: 'verify' } })).toEqual({ file: undefined, options: { mode: 'verify' } });
  });

  test.each([
    ['an ES module', 'ensure-migrated.config.mjs', text({ mode: 'wait' })],
    ['CommonJS', 'ensure-migrated.config.cjs', commonJs({ mode: 'wait' })],
    ['an async function', 'ensure-migrated.config.mjs', `export default async () => ({ mode: 'wait' });`],
    ['compiled TypeScript', 'ensure-migrated.config.cjs', `exports.__esModule = true; exports.default = { mode: 'wait' };`],
    ['named exports', 'ensure-migrated.config.mjs', `export const mode = 'wait';`],
  ])('may be %s', async (_what, name, source) => {
    expect(await optionsOf({ [name]: source })).toMatchObject({ mode: 'wait' });
  });

  test('may be JSON that names its schema, which says nothing to us', async () => {
    const $schema = './node_modules/ensure-migrated/schemas/config.json';
    const name = 'ensure-migrated.config.json';
    const directory = await makeDirectory({
      [name]: `\uFEFF${JSON.stringify({ $schema, mode: 'wait', migrations: './db', connection: url })}`,
    });
    const { options } = await load(directory);
    expect(resolveConfig(options)).toMatchObject({ mode: 'wait', migrations: { directories: [path.join(directory, 'db')] } });
    const several = { $schema, databases: [{ name: 'eu', connection: url }] };
    expect((await load(await makeDirectory({ [name]: JSON.stringify(several) }))).several?.databases).toHaveLength(1);
  });

  test('that is no valid JSON is refused without a word of it', async () => {
    const directory = await makeDirectory({ 'ensure-migrated.config.json': `{ "connection": "${url}" s3cret }` });
    const { code, message, cause } = await refusalOf(load(directory));
    expect({ code, message }).toEqual({
      code: 'EM_CONFIG_INVALID',
      message: expect.stringContaining('ensure-migrated.config.json: it is not valid JSON, which has neither') as string,
    });
    expect(`${message}${String(cause)}${String((cause as Error).cause)}`).not.toContain('s3cret');
  });

  test('may be named, from the directory', async () => {
    const directory = await makeDirectory({ 'conf/em.mjs': text({ mode: 'wait' }), 'ensure-migrated.config.mjs': text({ mode: 'off' }) });
    expect(await load(directory, { file: 'conf/em.mjs' })).toEqual({
      file: path.join(directory, 'conf/em.mjs'),
      options: { mode: 'wait', migrations: path.join(directory, 'conf/migrations') },
    });
  });

  test('may be TypeScript, loaded as migrations are, in a project of either type', async () => {
    const source = `import { defineConfig } from 'ensure-migrated';\nexport default defineConfig({ mode: 'wait' as 'wait' | 'off' });\n`;
    for (const type of ['module', 'commonjs']) {
      const directory = await makeInstalled({ 'package.json': `{ "type": "${type}" }`, 'ensure-migrated.config.ts': source });
      expect(await loadedInProcess(directory)).toMatchObject({ mode: 'wait', migrations: path.join(directory, 'migrations') });
      const knexfile = await makeInstalled({
        'package.json': `{ "type": "${type}" }`,
        'knexfile.ts': `import type { Knex } from 'knex';\nconst config: Record<string, Knex.Config> = { development: { client: 'pg', connection: '${url}' } };\nexport default config;\n`,
      });
      expect(await loadedInProcess(knexfile)).toMatchObject({ environment: 'development' });
    }
  });

  test('is not read by ensureMigrated()', async () => {
    const directory = await makeInstalled({ 'package.json': '{}', 'ensure-migrated.config.mjs': 'throw new Error("read");' });
    const code = `import { ensureMigrated } from 'ensure-migrated'; console.log((await ensureMigrated({ mode: 'off' })).status);`;
    expect(await runCode(code, { cwd: directory })).toMatchObject({ code: 0, stdout: expect.stringContaining('off\n') as string });
  });
});

/** The options, without knex, as a process of the project gets them. */
async function loadedInProcess(directory: string): Promise<unknown> {
  const entry = pathToFileURL(path.join(directory, 'node_modules/ensure-migrated/dist/config-file/index.js')).href;
  const code = `import { loadConfigFile } from ${JSON.stringify(entry)};
    const { knex, ...options } = (await loadConfigFile({ directory: process.cwd() })).options;
    console.log(JSON.stringify(options));`;
  const { stdout, stderr, code: exit } = await runCode(code, { cwd: directory });
  if (exit !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as unknown;
}

describe('paths of migrations in a file', () => {
  const place = async (options: string, name = 'ensure-migrated.config.mjs') => {
    const directory = await makeDirectory({ [`sub/${name}`]: options });
    const { options: loaded } = await load(directory, { file: `sub/${name}` });
    const { directories } = resolveConfig({ mode: 'off', ...loaded }).migrations;
    return directories.map((each) => path.relative(path.join(directory, 'sub'), each));
  };

  test('count from its directory, and so does the default', async () => {
    expect(await place(text({}))).toEqual(['migrations']);
    expect(await place(text({ migrations: './db' }))).toEqual(['db']);
    expect(await place(text({ migrations: ['a', '../b'] }))).toEqual(['a', '../b']);
    expect(await place(text({ migrations: { tableName: 't' } }))).toEqual(['migrations']);
    expect(await place(`export default { migrations: new URL('./here', import.meta.url) };`)).toEqual(['here']);
    expect(await place(text({ migrations: { modules: { 'a.js': {} } } }))).toEqual([]);
  });

  test('of the model too; a flag names another model, and what it is about stays', async () => {
    const directory = await makeDirectory({
      'ensure-migrated.config.mjs': text({ schema: { files: ['a.ts', 'b.sql'], include: ['app'], snapshot: 's.lock' } }),
    });
    const here = (name: string) => path.join(directory, name);
    expect(resolveConfig({ ...(await load(directory)).options, mode: 'off' }).schema).toEqual({
      files: [here('a.ts'), here('b.sql')],
      include: ['app'],
      exclude: [],
      snapshot: here('s.lock'),
    });
    const flagged = (await load(directory, { flags: { schema: '/c.sql', mode: 'off' } })).options;
    expect(resolveConfig(flagged).schema).toEqual({ files: ['/c.sql'], include: ['app'], exclude: [], snapshot: here('s.lock') });
    const short = (await optionsOf({ 'ensure-migrated.config.mjs': text({ schema: 'a.ts', mode: 'off' }) })).schema as string;
    expect(path.basename(short)).toBe('a.ts');
    expect(path.isAbsolute(short)).toBe(true);
  });

  test('in a knexfile as well, as knex has it', async () => {
    const section = { client: 'pg', connection: url };
    expect(await place(text(section), 'knexfile.mjs')).toEqual(['migrations']);
    expect(await place(text({ ...section, migrations: { directory: ['./a', 'b'] } }), 'knexfile.mjs')).toEqual(['a', 'b']);
    const source = `export default { client: 'pg', connection: '${url}', migrations: { migrationSource: { getMigrations() {}, getMigrationName() {}, getMigration() {} } } };`;
    expect(await place(source, 'knexfile.mjs')).toEqual([]);
  });
});

describe('flags, environment, file, defaults: the first that says something counts', () => {
  const file = { connection: 'postgres://file/d', mode: 'wait', environment: 'file', transaction: 'all' };
  const files = { 'ensure-migrated.config.mjs': text(file) };
  const seen = async (asked: Asked = {}) => {
    const config = await resolved(files, asked);
    const { connectionString } = await config.connection();
    return { connectionString, mode: config.mode, environment: config.environment, transaction: config.transaction };
  };

  test('the file beats the defaults', async () => {
    expect(await seen()).toEqual({ connectionString: 'postgres://file/d', mode: 'wait', environment: 'file', transaction: 'all' });
  });

  test('the environment beats the file, option by option', async () => {
    process.env = { DATABASE_URL: 'postgres://env/d' };
    expect(await seen()).toEqual({ connectionString: 'postgres://env/d', mode: 'wait', environment: 'file', transaction: 'all' });
    process.env = { ENSURE_MIGRATED_MODE: 'verify', NODE_ENV: 'env' };
    expect(await seen()).toEqual({ connectionString: 'postgres://file/d', mode: 'verify', environment: 'env', transaction: 'all' });
  });

  test('a flag beats both', async () => {
    process.env = { DATABASE_URL: 'postgres://env/d', ENSURE_MIGRATED_MODE: 'verify', NODE_ENV: 'env' };
    const flags = { connection: 'postgres://flag/d', mode: 'off', transaction: undefined } as const;
    expect(await seen({ flags, environment: 'flag' })).toEqual({
      connectionString: 'postgres://flag/d',
      mode: 'off',
      environment: 'flag',
      transaction: 'all',
    });
  });

  test('the same for the connection of a knexfile, of which all else stays', async () => {
    const source = `export default { client: 'pg', connection: 'postgres://file/d', searchPath: 'clinic', migrations: { tableName: 'history' } };`;
    const connected = async (flags?: Options) => {
      const config = await resolved({ 'knexfile.mjs': source }, { flags });
      const { config: knexConfig } = (config.knex as Knex).client as { config: { searchPath: string } };
      expect([config.migrations.tableName, knexConfig.searchPath]).toEqual(['history', 'clinic']);
      const { connectionString, host } = await config.connection();
      return connectionString ?? host;
    };
    expect(await connected()).toBe('file');
    process.env = { DATABASE_URL: 'postgres://env/d' };
    expect(await connected()).toBe('postgres://env/d');
    expect(await connected({ connection: 'postgres://flag/d' })).toBe('postgres://flag/d');
  });

  test('another directory of migrations leaves the table of the history as it is', async () => {
    const source = text({ connection: url, migrations: { directory: 'a', tableName: 'history' } });
    const { migrations } = await resolved({ 'ensure-migrated.config.mjs': source }, { flags: { migrations: '/b' } });
    expect(migrations).toMatchObject({ directories: [path.resolve('/b')], tableName: 'history' });
    const { migrations: single } = await resolved(
      { 'ensure-migrated.config.mjs': text({ connection: url }) },
      { flags: { migrations: '/b' } },
    );
    expect(single.directories).toEqual([path.resolve('/b')]);
  });
});

describe('a knexfile', () => {
  const sections = `module.exports = {
    development: { client: 'pg', connection: 'postgres://dev/d' },
    production: { client: 'pg', connection: 'postgres://prod/d', migrations: { tableName: 'history' } },
  };`;
  const host = async (source: string, asked: Asked = {}) => {
    const config = await resolved({ 'knexfile.cjs': source }, asked);
    return [(await config.connection()).host, config.environment];
  };

  test('gives the section of --env, else of NODE_ENV, else development', async () => {
    expect(await host(sections)).toEqual(['dev', 'development']);
    process.env = { NODE_ENV: 'production' };
    expect(await host(sections)).toEqual(['prod', 'production']);
    expect(await host(sections, { environment: 'development' })).toEqual(['dev', 'development']);
  });

  test('may have no sections, and may be an async function', async () => {
    expect(await host(commonJs({ client: 'pg', connection: 'postgres://whole/d' }))).toEqual(['whole', undefined]);
    expect(await host(`module.exports = async () => ({ client: 'pg', connection: 'postgres://asked/d' });`)).toEqual(['asked', undefined]);
  });

  test('need not name a database for what needs none; the environment may', async () => {
    const source = `module.exports = { client: 'pg', connection: process.env.NOWHERE, migrations: { tableName: 'history' } };`;
    const config = await resolved({ 'knexfile.cjs': source });
    expect(config.migrations.tableName).toBe('history');
    await expect(config.connection()).rejects.toThrow(/no database given/);
    process.env = { PGHOST: 'h' };
    expect(await config.connection()).toEqual({});
  });

  test('without the section is refused with the sections that there are', async () => {
    const directory = await makeDirectory({ 'knexfile.cjs': sections });
    const error = await refusalOf(load(directory, { environment: 'staging' }));
    expect(error).toMatchObject({ code: 'EM_CONFIG_INVALID' });
    expect(error.message).toContain(
      `${path.join(directory, 'knexfile.cjs')}: it has no section "staging" (--env, NODE_ENV), but development, production.`,
    );
  });

  test('boots as knex would: searchPath, afterCreate, wrapIdentifier and its own directory hold', async () => {
    process.env = environment; // where the test's server is
    const database = await createDatabase();
    const directory = await makeDirectory({
      'db/knexfile.cjs': `module.exports = { test: {
        client: 'pg', connection: ${JSON.stringify(database.url)}, searchPath: ['clinic'],
        wrapIdentifier: (value, wrap) => wrap('x_' + value),
        pool: { min: 2, max: 4, afterCreate: (client, done) => client.query("set work_mem = '7MB'", done) },
        migrations: { tableName: 'history', directory: './steps' } } };`,
      'db/steps/1.cjs': `exports.up = async (knex) => {
        await knex.schema.createTable('notes', (table) => table.text('title'));
        await knex.raw("create table seen as select current_setting('work_mem') as memory, current_schema() as place");
      }; exports.down = () => {};`,
    });
    await database.query('create schema clinic');
    process.env = { ...environment, DATABASE_URL: '' };
    const { options } = await load(directory, { file: 'db/knexfile.cjs', environment: 'test' });
    expect(await ensureMigrated({ ...options, logger: false })).toMatchObject({ status: 'migrated', applied: [{ name: '1.cjs' }] });
    expect(await database.query('select * from clinic.seen')).toEqual([{ memory: '7MB', place: 'clinic' }]);
    expect(await database.query('select name from clinic.history')).toEqual([{ name: '1.cjs' }]);
    expect(await database.query('select * from clinic.x_notes')).toEqual([]);
  });
});

describe('a file that cannot be used is named, with what is wrong and no password', () => {
  const cases: [string, string, string, RegExp][] = [
    ['throws', 'ensure-migrated.config.mjs', `throw new Error('no ${url}');`, /: no postgres:\/\/app:\*\*\*@db/],
    ['does not parse', 'ensure-migrated.config.mjs', 'export default {', /mjs: \S/],
    ['exports no object', 'ensure-migrated.config.mjs', 'export default "x";', /an object of options.*it exports text\./],
    ['has no default export', 'ensure-migrated.config.mjs', 'export const config = {};', /no default export: `export default \{/],
    [
      'exports knex',
      'ensure-migrated.config.cjs',
      `const knex = () => {}; knex.client = { config: {} }; module.exports = knex;`,
      /a function\./,
    ],
    ['has a misspelt key', 'ensure-migrated.config.mjs', text({ mod: 'apply' }), /mod: unknown option; did you mean "mode"\?/],
    [
      'has a wrong value',
      'ensure-migrated.config.mjs',
      text({ mode: 'aply', timeouts: { lockMs: 'x' } }),
      /mode: .*\n.*timeouts\.lockMs: /,
    ],
    ['is of another database', 'knexfile.mjs', text({ client: 'mysql2' }), /its client is "mysql2", not "pg" \(section development\)/],
    ['names no client', 'knexfile.mjs', text({ connection: url }), /client/],
    ['fails when it is asked', 'knexfile.mjs', `export default () => Promise.reject(new Error('vault is sealed'));`, /: vault is sealed\./],
  ];
  test.each(cases)('which %s', async (_what, name, source, says) => {
    const directory = await makeDirectory({ [name]: source });
    const error = await refusalOf(load(directory));
    expect(error.code).toBe('EM_CONFIG_INVALID');
    expect(error.message).toContain(path.join(directory, name));
    expect(error.message).toMatch(says);
    expect(error.message).not.toContain('s3cret');
    expect(error.remedy).toBe(`Correct ${path.join(directory, name)}, or name another file.`);
  });

  test('which is not there, when it was asked for', async () => {
    const directory = await makeDirectory();
    const error = await refusalOf(load(directory, { file: 'gone.js' }));
    expect(error).toMatchObject({ code: 'EM_CONFIG_INVALID' });
    expect(error.message).toContain(`${path.join(directory, 'gone.js')}: there is no such file.`);
  });

  test('unless only what the environment replaces is wrong', async () => {
    process.env = { DATABASE_URL: url };
    expect(await optionsOf({ 'ensure-migrated.config.mjs': text({ connection: 'nowhere' }) })).not.toHaveProperty('connection');
  });
});
