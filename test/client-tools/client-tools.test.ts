import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { dumpSchema, ToolError } from '../../src/client-tools/index.js';
import { poll } from '../support/boot.js';
import { callOn, describeWithClientTools, dumpableMajor, undumpableMajor } from '../support/client-tools.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

async function schemaOf(
  database: Pick<TestDatabase, 'url'>,
  { serverVersion = dumpableMajor * 10_000, signal = undefined as AbortSignal | undefined } = {},
) {
  const call = callOn(database, signal);
  return await dumpSchema({ call, source: call.config.connection, serverVersion });
}

/** The command lines of the pg_dump processes that are connected to a database. */
function commandLines(database: TestDatabase): string[] {
  const read = (pid: string, what: string) => {
    try {
      return readFileSync(`/proc/${pid}/${what}`, 'utf8').split('\0');
    } catch {
      return []; // it has ended meanwhile
    }
  };
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && read(pid, 'environ').includes(`PGDATABASE=${database.name}`))
    .map((pid) => read(pid, 'cmdline').join(' '));
}

/** pg_dump, held up by a lock on a table of the database. */
async function heldUp(signal?: AbortSignal) {
  const database = await createDatabase({ major: dumpableMajor });
  await database.query('create table notes ()');
  const gate = await database.connect();
  await gate.query('begin; lock table notes');
  const dumping = schemaOf(database, { signal });
  dumping.catch(() => undefined);
  const [found] = await poll(async () => {
    const rows = await database.query(
      `select application_name from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows.length > 0 ? rows : undefined;
  });
  return { database, dumping, application: found?.['application_name'] as string, open: async () => await gate.query('rollback') };
}

describeWithClientTools('a client tool', () => {
  test('dumps the schema as SQL that a server takes', async () => {
    const database = await createDatabase({ major: dumpableMajor });
    await database.query('create table notes (id int primary key); insert into notes values (7)');
    const schema = await schemaOf(database);
    expect(schema).toContain('CREATE TABLE public.notes');
    expect(schema).not.toContain('COPY');
    const copy = await createDatabase({ major: dumpableMajor });
    await copy.query(schema);
    expect(await schemaOf(copy)).toBe(schema);
  });

  test('has the password in its environment, and never on its command line', async () => {
    const { database, dumping, application, open } = await heldUp();
    expect(application).toBe('ensure-migrated/clinic/pg_dump');
    const lines = commandLines(database);
    expect(lines.join()).toContain('--schema-only');
    const { password } = new URL(database.url);
    expect(password).not.toBe('');
    expect(lines.join()).not.toContain(password);
    expect(lines.join()).not.toContain(database.name);
    await open();
    expect(await dumping).toContain('CREATE TABLE public.notes');
  });

  test('is ended when the call is told to stop, and leaves no process and no session behind', async () => {
    const abort = new AbortController();
    const { database, dumping } = await heldUp(abort.signal);
    const started = performance.now();
    abort.abort();
    await expect(dumping).rejects.toMatchObject({ code: 'EM_ABORTED' });
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(commandLines(database)).toEqual([]);
    await poll(async () => {
      const left = await database.query(
        `select from pg_stat_activity where datname = current_database() and application_name like '%/pg_dump'`,
      );
      return left.length === 0 ? true : undefined;
    });
  });

  test('says why it failed, without the password', async () => {
    const database = await createDatabase({ major: dumpableMajor });
    const role = await database.createRole();
    await database.query('create table notes ()');
    const failure = await schemaOf(role).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ToolError);
    expect(String(failure)).toMatch(/pg_dump ended with exit code 1: .*permission denied for table notes/s);
    const wrong = await schemaOf({ url: database.roleUrl(role.name, 'wr0ng-s3cret') }).catch((error: unknown) => error);
    expect(String(wrong)).toMatch(/password authentication failed/);
    expect(String(wrong)).not.toContain('wr0ng-s3cret');
  });

  test.skipIf(undumpableMajor === undefined)('that is older than the server is not run', async () => {
    const database = await createDatabase({ major: undumpableMajor! });
    const failure = await schemaOf(database, { serverVersion: 180_000 }).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      message: expect.stringMatching(/^pg_dump is older than the server, which is PostgreSQL 18: \/\S+ is 1\d\./) as string,
      remedy: expect.stringContaining('of PostgreSQL 18 or later') as string,
    });
  });
});
