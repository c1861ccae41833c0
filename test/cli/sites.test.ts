import { beforeAll, describe, expect, test } from 'vitest';
import { runCliHere } from '../support/cli.js';
import { makeDirectory } from '../support/directories.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

// Nobody listens there.
const closed = 'postgres://app:s3cret@127.0.0.1:1/clinic';

const run = async (config: string, ...args: string[]) => await runCliHere([...args, '--config', config]);

/** A configuration file of these databases beside two migrations. */
async function makeProject(databases: Readonly<Record<string, string | undefined>>, others: object = {}): Promise<string> {
  const impatient = { timeouts: { connectMs: 200 } };
  const entries = Object.entries(databases).map(([name, connection]) => ({ name, connection, ...(connection === closed && impatient) }));
  const options = { databases: entries, ...others };
  const directory = await makeDirectory({
    'ensure-migrated.config.mjs': `export default ${JSON.stringify(options)};`,
    'migrations/01_patients.sql': 'create table patients (id int);',
    'migrations/02_email.sql': 'alter table patients add column email text;',
  });
  return `${directory}/ensure-migrated.config.mjs`;
}

async function tablesIn(database: TestDatabase): Promise<unknown[]> {
  return (await database.query(`select tablename from pg_tables where schemaname = 'public' order by 1`)).map(
    ({ tablename }) => tablename as unknown,
  );
}

const own = ['knex_migrations', 'knex_migrations_journal', 'knex_migrations_lock'];

describe('of three databases in the configuration file', () => {
  let [eu, us]: TestDatabase[] = [];
  let config: string;

  beforeAll(async () => {
    [eu, us] = [await createDatabase(), await createDatabase()];
    config = await makeProject({ down: closed, 'eu-1': eu.url, 'eu-2': us.url }, { onFailure: 'continue', concurrency: 1 });
  });

  test('one is worked on by its name, and told as ever', async () => {
    const { code, stdout, stderr } = await run(config, 'upgrade', '+1', '--database', 'eu-1');
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^eu-1: 1\/1 01_patients\.sql\n/) as string });
    expect(stdout).toMatch(/^Applied: 1, in \d+ ms\.\nThe database was at base and is at 01_patients\.sql now\.\n/);
    expect(await tablesIn(us as TestDatabase)).toEqual([]);
  });

  test('all are shown in one table, and one that fails does not hide the others', async () => {
    const { code, stdout } = await run(config, 'status');
    expect(code).toBe(78);
    const [table = '', details = ''] = stdout.split('\n\n');
    const lines = table.split('\n');
    expect(lines.slice(0, 4).map((line) => line.split(/\s{2,}/))).toEqual([
      ['database', 'status', 'at', 'head', 'pending', 'findings', 'error'],
      ['down', 'failed', 'EM_CONNECT_TIMEOUT'],
      ['eu-1', 'not in sync', '01_patients.sql', '02_email.sql', '1', '1'],
      ['eu-2', 'not in sync', 'base', '02_email.sql', '2', '1'],
    ]);
    expect(lines.filter((_, index) => index === 4 || index === 6 || index === 9)).toEqual([
      'error history-pending: database eu-1: not applied: 02_email.sql',
      `    $ ensure-migrated upgrade --config ${config} --database eu-1`,
      `    $ ensure-migrated upgrade --config ${config} --database eu-2`,
    ]);
    expect(details).toMatch(
      /^database down: EM_CONNECT_TIMEOUT: could not connect to PostgreSQL within 200 ms: [^]*\n {2}Check that the server is up/,
    );
  });

  test('those of a pattern are shown, as a table, as sections or as JSON', async () => {
    const current = await run(config, 'current', '--database', 'eu-*');
    expect(current.code).toBe(0);
    expect(current.stdout).toMatch(/^database +at +head +pending\neu-1 +01_patients\.sql +no +1\neu-2 +base +no +2\n$/);
    const plan = await run(config, 'plan', '--database', 'eu-*');
    expect(plan.stdout).toMatch(
      /^database eu-1\nThe database [^]+\n1\. 02_email\.sql\n[^]+\n\ndatabase eu-2\nThe database [^]+\n1\. 01_patients\.sql\n/,
    );
    const history = await run(config, 'history', '--database', 'eu-*', '--json');
    expect((JSON.parse(history.stdout) as object[]).slice(0, 3)).toMatchObject([
      { database: 'eu-1', name: '01_patients.sql', status: 'applied' },
      { database: 'eu-1', name: '02_email.sql', status: 'pending' },
      { database: 'eu-2', name: '01_patients.sql', status: 'pending' },
    ]);
    const lint = await run(config, 'lint', '--database', 'eu-*');
    expect(lint.stdout.match(/^database (eu-1|eu-2)$/gm)).toHaveLength(2);
  });

  test('upgrade brings all that it can to head, with the exit code of the worst', async () => {
    const { code, stdout } = await run(config, 'upgrade', '--json');
    expect(code).toBe(75);
    expect(JSON.parse(stdout)).toMatchObject([
      { database: 'down', error: { code: 'EM_CONNECT_TIMEOUT', retryable: true } },
      { database: 'eu-1', status: 'migrated', from: '01_patients.sql', to: '02_email.sql' },
      { database: 'eu-2', status: 'migrated', applied: [{ name: '01_patients.sql' }, { name: '02_email.sql' }] },
    ]);
    for (const database of [eu, us]) expect(await tablesIn(database as TestDatabase)).toEqual([...own, 'patients']);
    expect(await run(config, 'status', '--database', 'eu-*')).toMatchObject({ code: 0 });
  });

  test('what is about one history asks for a choice, before anything is connected', async () => {
    const { code, stderr } = await run(config, 'downgrade', '-1', '--yes', '--database', 'eu-*');
    expect(code).toBe(78);
    expect(stderr.split('\n')).toEqual([
      'EM_CONFIG_INVALID: downgrade is about one history, and these are 2: database eu-1, database eu-2',
      '  Choose one with --database. Nothing was changed.',
      '',
    ]);
    for (const words of [
      ['script'],
      ['drift'],
      ['check'],
      ['backup'],
      ['stamp', 'head'],
      ['repair', 'lock'],
      ['backfill', 'list'],
      ['create-all'],
      ['baseline'],
      ['restore', 'x'],
    ])
      expect((await run(config, ...words)).stderr).toMatch(
        /^EM_CONFIG_INVALID: \S+ is about one history, and these are 3: database down, database eu-1, database eu-2\n/,
      );
    expect((await run(config, 'lint', '--format', 'sarif')).stderr).toMatch(/^EM_CONFIG_INVALID: lint is about one history/);
  });

  test('what is about files alone is about all of them, since they share their files', async () => {
    expect((await run(config, 'lint', '--catalog', 'none')).stdout).toMatch(/^Judged by the text alone/);
    const shared = await makeProject({ eu: closed, us: closed });
    const { code, stdout } = await run(shared, 'revision', 'add the phone of patients', '--extension', 'sql');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringMatching(/^Wrote .*03_add_the_phone_of_patients\.sql\n/) as string,
    });
  });

  test('a name that none has is told with those that there are', async () => {
    expect((await run(config, 'status', '--database', 'ap-*')).stderr).toBe(
      'EM_CONFIG_INVALID: no database is called "ap-*": there are down, eu-1, eu-2\n  Give the name of one, or a pattern such as "eu-*". Nothing was changed.\n',
    );
    expect((await run(config, 'status', '--tenant', 'acme')).stderr).toMatch(
      /^EM_CONFIG_INVALID: no tenant is called "acme": the options name no tenants\n/,
    );
    expect((await run(config, 'upgrade', '--connection', closed)).stderr).toMatch(
      /^EM_CONFIG_INVALID: --connection names one database, and the configuration file has several\n/,
    );
  });
});

describe('of three tenants in one database', () => {
  let database: TestDatabase;
  let config: string;
  const columns = ({ stdout }: { stdout: string }) =>
    (stdout.split('\n\n')[0] ?? '')
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/\s{2,}/));

  beforeAll(async () => {
    database = await createDatabase();
    await database.query('create schema acme; create schema apex');
    config = await makeProject({}, { databases: undefined, connection: database.url, tenants: { schemas: ['acme', 'apex', 'gone'] } });
  });

  test('one is worked on by its name, and those of a pattern are shown in one table', async () => {
    expect(await run(config, 'upgrade', '+1', '--tenant', 'apex')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Applied: 1, /) as string,
      stderr: expect.stringMatching(/^apex: 1\/1 /) as string,
    });
    expect(columns(await run(config, 'current', '--tenant', 'a*'))).toEqual([
      ['tenant', 'at', 'head', 'pending'],
      ['acme', 'base', 'no', '2'],
      ['apex', '01_patients.sql', 'no', '1'],
    ]);
  });

  test('an upgrade brings all that it can to head, and says which is not', async () => {
    const upgraded = await run(config, 'upgrade');
    expect(upgraded.code).toBe(78);
    expect(upgraded.stdout).toContain('warn migration-no-down: tenant acme: 02_email.sql has no down');
    expect(
      columns(upgraded)
        .slice(0, 4)
        .map((cells) => cells.slice(0, 4)),
    ).toEqual([
      ['tenant', 'status', 'from', 'to'],
      ['acme', 'migrated', 'base', '02_email.sql'],
      ['apex', 'migrated', '01_patients.sql', '02_email.sql'],
      ['gone', 'failed', 'EM_CHECK_FAILED'],
    ]);
    expect(upgraded.stdout).toMatch(/\n\ntenant gone: EM_CHECK_FAILED: the schema "gone", /);
    expect(await tablesIn(database)).toEqual([]);
    expect(await run(config, 'upgrade', '--tenant', 'a*')).toMatchObject({ code: 0 });
  });

  test('what is about one history asks for a tenant; a new migration is one for all', async () => {
    expect((await run(config, 'downgrade', '-1', '--yes')).stderr).toMatch(
      /^EM_CONFIG_INVALID: downgrade is about one history, and these are 3: tenant acme, tenant apex, tenant gone\n {2}Choose one with --tenant\./,
    );
    expect(await run(config, 'drift', '--tenant', 'acme')).toMatchObject({ code: 0 });
    expect(await run(config, 'revision', 'add the phone of patients')).toMatchObject({ code: 0 });
  });

  test('what was found is told of the first, each with the command for its tenant', async () => {
    const schemas = Array.from({ length: 12 }, (_, index) => `t${index}`);
    await database.query(schemas.map((schema) => `create schema ${schema}`).join('; '));
    const many = await makeProject({}, { databases: undefined, connection: database.url, tenants: { schemas } });
    const told = (await run(many, 'status')).stdout.trimEnd().split('\n');
    expect(told.filter((line) => line.startsWith('error history-pending: tenant t'))).toHaveLength(10);
    expect(told).toContain(`    $ ensure-migrated upgrade --config ${many} --tenant t0`);
    expect(told.at(-1)).toBe('And 2 more findings: --json has all of them.');
  });
});

describe('of the streams of a database', () => {
  let database: TestDatabase;
  let config: string;

  beforeAll(async () => {
    database = await createDatabase();
    const audit = await makeDirectory({ '01_log.sql': 'create table log (id int);' });
    config = await makeProject({}, { databases: undefined, connection: database.url, streams: [{ name: 'audit', migrations: audit }] });
  });

  test('all are brought to head by one upgrade, in their order, and shown in one table', async () => {
    const { code, stdout } = await run(config, 'upgrade', '--json');
    expect({ code, told: JSON.parse(stdout) as unknown }).toMatchObject({
      code: 0,
      told: [
        { stream: 'audit', status: 'migrated', to: '01_log.sql' },
        { stream: 'main', status: 'migrated', to: '02_email.sql' },
      ],
    });
    const current = await run(config, 'current');
    expect(current).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^stream +at +head +pending\naudit +01_log\.sql +yes +0\nmain /) as string,
    });
  });

  test('one is worked on by its name; what is about one history, or its files, asks for a choice', async () => {
    expect(await run(config, 'current', '--stream', 'audit')).toMatchObject({ code: 0, stdout: '01_log.sql (head)\n' });
    expect((await run(config, 'stamp', 'base')).stderr).toMatch(
      /^EM_CONFIG_INVALID: stamp is about one history, and these are 2: stream audit, stream main\n/,
    );
    expect((await run(config, 'revision', 'add the phone of patients')).stderr).toMatch(/\n {2}Choose one with --stream\./);
    expect(await run(config, 'revision', 'add the phone of patients', '--stream', 'main')).toMatchObject({ code: 0 });
    expect((await run(config, 'status', '--stream', 'ma')).stderr).toContain('no stream is called "ma": there are audit, main');
  });
});

describe('a configuration file with databases', () => {
  test('is told what is wrong with each entry, with its own name', async () => {
    const config = await makeProject({ eu: closed }, { canary: -1, databases: [{ name: 'eu', connection: closed, mod: 'apply' }] });
    const { code, stderr } = await run(config, 'status');
    expect(code).toBe(78);
    expect(stderr.split('\n').slice(1, 3)).toEqual([
      '  canary: expected a whole number from 0; got -1',
      '  databases.eu.mod: unknown option; did you mean "mode"?.',
    ]);
    expect(stderr).toContain(`EM_CONFIG_INVALID: ${config}: its options are not valid:`);
  });

  test('never takes the database of the environment for an entry that names none', async () => {
    const database = await createDatabase();
    const config = await makeProject({ eu: undefined, us: closed });
    const before = process.env['DATABASE_URL'];
    process.env['DATABASE_URL'] = database.url;
    try {
      const { code, stderr } = await run(config, 'upgrade', '--database', 'eu');
      expect({ code, stderr }).toMatchObject({
        code: 78,
        stderr: expect.stringMatching(/expected a connection, or knex, in each entry .* got none in eu\n/) as string,
      });
    } finally {
      if (before === undefined) delete process.env['DATABASE_URL'];
      else process.env['DATABASE_URL'] = before;
    }
    expect(await tablesIn(database)).toEqual([]);
  });
});
