import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { restore } from '../../src/commands/restore.js';
import { describeWithClientTools, dumpOf, undumpableMajor } from '../support/client-tools.js';
import { makeDirectory } from '../support/directories.js';
import { failureOf } from '../support/scene.js';
import { createDatabase } from '../support/servers.js';
import { dumpableMajor } from '../support/client-tools.js';
import {
  boot,
  expectNoSession,
  failingUpgrade,
  fakeTools,
  first,
  goodUpgrade,
  makeClinic,
  second,
  tracesIn,
  type Clinic,
} from './fixture.js';

const searched = process.env['PATH'];
afterEach(() => void (process.env['PATH'] = searched));

/** The upgrade fails for want of a backup, and the database and the directory are as they were. */
async function expectUnchanged({ database, files }: Clinic, backup: object, message: RegExp) {
  const [before, dump, filesBefore] = [await tracesIn(database), dumpable(database), await files()];
  const error = await failureOf(boot(database, await goodUpgrade(), { backup: backup as never }));
  expect(error).toMatchObject({ code: 'EM_BACKUP_FAILED', exitCode: 78, retryable: false });
  expect(error.message).toMatch(message);
  expect(error.message).toMatch(/Nothing was changed/);
  expect(error.outcome).toMatchObject({ applied: [] });
  await expectNoSession(database);
  expect(await tracesIn(database)).toEqual(before);
  expect(dumpable(database)).toEqual(dump);
  expect(await files()).toEqual(filesBefore);
  return error;
}

function dumpable(database: Clinic['database']): string {
  try {
    return dumpOf(database);
  } catch {
    return ''; // a server that is newer than the tools
  }
}

describeWithClientTools('an upgrade with a backup', () => {
  test('takes it before the first change, and says where it is', async () => {
    const { database, directory, files } = await makeClinic();
    const before = dumpOf(database);
    const events: Record<string, unknown>[] = [];
    const outcome = await boot(database, await goodUpgrade(), {
      backup: { directory },
      onProgress: (event) => void events.push({ ...event }),
    });
    const [file] = await files();
    expect(file).toMatch(new RegExp(`^${database.name}-01_notes-\\d{8}T\\d{9}Z\\.dump$`));
    const backup = path.join(directory, file!);
    expect(outcome).toMatchObject({ status: 'migrated', to: second, backup, timings: { backup: expect.any(Number) as number } });
    const { size, mode } = await stat(backup);
    expect(mode & 0o777).toBe(0o600);
    expect(events.find(({ event }) => event === 'backup.taken')).toMatchObject({
      file: backup,
      bytes: size,
      ms: expect.any(Number) as number,
    });
    const order = events.map(({ event }) => event).filter((event) => /^(plan.made|backup.taken|step.applied)$/.test(String(event)));
    expect(order).toEqual(['plan.made', 'backup.taken', 'step.applied']);
    const target = await createDatabase({ major: dumpableMajor });
    await restore({ connection: target.url, logger: false }, { file: backup });
    expect(dumpOf(target)).toBe(before);
    expect(dumpOf(database)).not.toBe(before);
  });

  test('that fails is undone by restoring it: byte for byte what was there, and in sync with the code of before', async () => {
    const { database, directory, current, files } = await makeClinic();
    const before = dumpOf(database);
    const upgrade = await failingUpgrade();
    const error = await failureOf(boot(database, upgrade, { backup: { directory } }));
    const file = path.join(directory, (await files())[0]!);
    expect(error.code).toBe('EM_MIGRATION_FAILED');
    expect(error.message).toContain(`\n  backup: ${file}`);
    expect(error.stack).toContain(`backup: ${file}`);
    expect(error.outcome).toMatchObject({ backup: file });
    expect(await database.query('select from notes')).toEqual([]);
    const target = await createDatabase({ major: dumpableMajor });
    expect(await restore({ connection: target.url, logger: false }, { file })).toEqual({ database: target.name, file, revision: first });
    expect(dumpOf(target)).toBe(before);
    expect(await boot(target, current)).toMatchObject({ status: 'in-sync', to: first });
    expect(await boot(target, await goodUpgrade())).toMatchObject({ status: 'migrated', to: second });
  });

  test('that has nothing to apply takes none', async () => {
    const { database, directory, current, files } = await makeClinic();
    const outcome = await boot(database, current, { backup: { directory } });
    expect(outcome).toMatchObject({ status: 'in-sync' });
    expect(outcome).not.toHaveProperty('backup');
    expect(await files()).toEqual([]);
  });

  test('of an empty database takes one of the base', async () => {
    const [database, directory] = [await createDatabase({ major: dumpableMajor }), await makeDirectory()];
    const { backup } = await boot(database, await goodUpgrade(), { backup: { directory } });
    expect(path.basename(backup!)).toMatch(`${database.name}-base-`);
  });

  test('keeps as many as it is told to, of this database only', async () => {
    const { database, directory, files } = await makeClinic();
    const others = [`${database.name}-01_notes-20200101T000000000Z.dump`, `${database.name}-base-20210101T000000000Z.dump`];
    const foreign = [
      `${database.name}_b-base-20200101T000000000Z.dump`,
      `${database.name}%2Db-base-20200101T000000000Z.dump`,
      `${database.name}-notes.dump`,
    ];
    for (const name of [...others, ...foreign]) await writeFile(path.join(directory, name), '');
    const { backup } = await boot(database, await goodUpgrade(), { backup: { directory, keepCount: 2 } });
    expect(await files()).toEqual([...foreign, others[1], path.basename(backup!)].sort());
  });
});

describeWithClientTools('an upgrade whose backup fails does not start, and changes nothing:', () => {
  test('no such directory', async () => {
    const clinic = await makeClinic();
    await expectUnchanged(clinic, { directory: path.join(clinic.directory, 'missing') }, /ENOENT/);
  });

  test('a directory in which nobody can write, root included', async () => {
    await expectUnchanged(await makeClinic(), { directory: '/proc' }, /no backup of "\S+" could be taken: E[A-Z]+: /);
  });

  test('a pg_dump that fails half-way', async () => {
    process.env['PATH'] = `${await fakeTools({ pg_dump: fakeDump('echo PGDMP; echo "disk on fire" >&2; exit 3') })}:${searched}`;
    const clinic = await makeClinic();
    await expectUnchanged(clinic, { directory: clinic.directory }, /pg_dump ended with exit code 3: disk on fire/);
  });

  test('a pg_dump that writes half of it and says that all is well', async () => {
    process.env['PATH'] = `${await fakeTools({ pg_dump: fakeDump('echo PGDMP') })}:${searched}`;
    const clinic = await makeClinic();
    await expectUnchanged(clinic, { directory: clinic.directory }, /pg_restore ended with exit code 1/);
  });

  test('a pg_dump that is killed', async () => {
    process.env['PATH'] = `${await fakeTools({ pg_dump: fakeDump('kill -9 $$') })}:${searched}`;
    const clinic = await makeClinic();
    await expectUnchanged(clinic, { directory: clinic.directory }, /pg_dump was ended by SIGKILL/);
  });

  test('a full disk', async () => {
    const clinic = await makeClinic();
    await expectUnchanged(clinic, { command: 'pg_dump --format=custom --file=/dev/full' }, /No space left on device/);
  });

  test('a role that may not read all tables', async () => {
    const clinic = await makeClinic();
    const role = await clinic.database.createRole();
    await clinic.database.query(
      `grant select, insert, update, delete on all tables in schema public to "${role.name}"; grant usage on all sequences in schema public to "${role.name}"; grant create on schema public to "${role.name}"; create table secret ()`,
    );
    const error = await failureOf(
      boot({ url: role.url }, await goodUpgrade(), { backup: { directory: clinic.directory }, rules: { 'schema-drift': 'off' } }),
    );
    expect(error).toMatchObject({ code: 'EM_BACKUP_FAILED' });
    expect(error.message).toContain('permission denied for table secret');
    expect(error.message).not.toContain(role.password);
    expect(await clinic.files()).toEqual([]);
  });

  test.skipIf(undumpableMajor === undefined)('client tools that are older than the server', async () => {
    const clinic = await makeClinic({ major: undumpableMajor! });
    const error = await expectUnchanged(
      clinic,
      { directory: clinic.directory },
      /pg_dump is older than the server, which is PostgreSQL 18/,
    );
    expect(error.remedy).toContain('Install the client tools of PostgreSQL 18 or later');
  });
});

/** A pg_dump of the version at hand. */
function fakeDump(script: string): string {
  return `[ "$1" = --version ] && echo "pg_dump (PostgreSQL) ${dumpableMajor}.0" && exit\n${script}`;
}

describe('a backup by a command', () => {
  let directory: string;
  beforeEach(async () => void (directory = await makeDirectory()));

  test('runs connected to the database, and its last line names the backup', async () => {
    const { database } = await makeClinic();
    const file = path.join(directory, 'seen');
    const command = `echo "$PGHOST $PGPORT $PGUSER $PGPASSWORD $PGDATABASE $ENSURE_MIGRATED_DATABASE $ENSURE_MIGRATED_REVISION" > ${file}; echo working; echo snapshot-7`;
    const outcome = await boot(database, await goodUpgrade(), { backup: { command } });
    const { hostname, port, username, password } = new URL(database.url);
    expect(await readFile(file, 'utf8')).toBe(`${hostname} ${port} ${username} ${password} ${database.name} ${database.name} ${first}\n`);
    expect(outcome).toMatchObject({ status: 'migrated', backup: 'snapshot-7' });
  });

  test('that fails stops the upgrade before it starts, and its password is told nowhere', async () => {
    const clinic = await makeClinic();
    const error = await expectUnchanged(
      clinic,
      { command: 'echo "no room for $PGPASSWORD" >&2; exit 4' },
      /ended with exit code 4: no room for \*\*\*/,
    );
    expect(error.message).not.toContain(new URL(clinic.database.url).password);
  });
});
