import path from 'node:path';
import { expect, test } from 'vitest';
import { backup } from '../../src/commands/backup.js';
import { restore } from '../../src/commands/restore.js';
import { describeWithClientTools, dumpOf, dumpableMajor } from '../support/client-tools.js';
import { describeWithPgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { failureOf } from '../support/scene.js';
import { createDatabase, startServer } from '../support/servers.js';
import { boot, first, goodUpgrade, makeClinic, second } from './fixture.js';
import { expectPrinted } from '../support/json-schemas.js';

describeWithClientTools('backups', () => {
  test('over a Unix socket, with a password that a function gives anew each time', async () => {
    const server = await startServer({ major: dumpableMajor, listen: 'socket' });
    const database = await server.createDatabase();
    await database.query('create table notes ()');
    const clinic = await makeClinic();
    let asked = 0;
    const password = () => Promise.resolve(asked++ < 0 ? '' : server.password);
    const connection = { host: server.socketDirectory, port: server.port, user: server.user, database: database.name, password };
    const { file } = await backup({ connection, logger: false }, { directory: clinic.directory });
    expect(asked).toBeGreaterThan(1);
    const target = await createDatabase({ major: dumpableMajor });
    expectPrinted('restore', await restore({ connection: target.url, logger: false }, { file }));
    expect(dumpOf(target)).toContain('CREATE TABLE public.notes');
  });

  test('of a database with an awkward name, kept apart from that of another', async () => {
    const clinic = await makeClinic();
    const name = `${clinic.database.name} a-b/"c"`;
    await clinic.database.query(`create database "${name.replaceAll('"', '""')}"`);
    const { hostname, port, username, password } = new URL(clinic.database.url);
    const connection = { host: hostname, port: Number(port), user: username, password, database: name };
    const taken = await backup({ connection, logger: false }, { directory: clinic.directory, keepCount: 1 });
    await backup({ connection: clinic.database.url, logger: false }, { directory: clinic.directory, keepCount: 1 });
    expect(path.basename(taken.file)).toContain(`${clinic.database.name}%20a%2Db%2F%22c%22-base-`);
    expect(await clinic.files()).toHaveLength(2);
    await clinic.database.query(`drop database "${name.replaceAll('"', '""')}"`);
  });
});

describeWithPgBouncer('behind PgBouncer', () => {
  test('pg_dump needs directConnection, and a command does not', async () => {
    const clinic = await makeClinic();
    const { database, directory } = clinic;
    const pooler = await startPgBouncer(database.url);
    const url = pooler.urlOf(database.url);
    const upgrade = await goodUpgrade();
    const before = dumpOf(database);
    const error = await failureOf(boot({ url }, upgrade, { backup: { directory } }));
    expect(error).toMatchObject({ code: 'EM_BACKUP_FAILED', remedy: expect.stringContaining('directConnection') as string });
    expect(dumpOf(database)).toBe(before);
    expect(await clinic.files()).toEqual([]);
    const file = (await backup({ connection: url, directConnection: database.url, logger: false }, { directory })).file;
    expect(await failureOf(restore({ connection: url, logger: false }, { file }))).toMatchObject({ code: 'EM_RESTORE_REFUSED' });
    const outcome = await boot({ url }, upgrade, { backup: { command: 'echo "at $ENSURE_MIGRATED_REVISION"' } });
    expect(outcome).toMatchObject({ status: 'migrated', to: second, backup: `at ${first}` });
  });
});
