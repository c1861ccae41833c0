import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startTestDatabases } from '../../src/testing/index.js';
import { makeDirectory } from '../support/directories.js';
import { startCode } from '../support/process.js';
import { createDatabase } from '../support/servers.js';
import { files, ours } from './fixture.js';

/** A runner of tests that kills itself, as by kill -9, when it comes to this phase. */
function startRunner(options: object, phase: string) {
  return startCode(`
    import { startTestDatabases } from './dist/testing/index.js';
    import { execFileSync } from 'node:child_process';
    import { writeSync } from 'node:fs';
    const tellServer = () => {
      const own = execFileSync('ps', ['-A', '-ww', '-o', 'ppid=,args=']).toString().split('\\n').filter((line) => Number.parseInt(line) === process.pid);
      writeSync(1, 'server ' + /\\sguard (\\S*em-pg-\\w+)/.exec(own.join(' '))[1] + '\\n');
    };
    const reached = (phase) => {
      if (phase === 'sweep.started' && ${'postgres' in options}) tellServer();
      if (phase === ${JSON.stringify(phase)}) process.kill(process.pid, 'SIGKILL');
    };
    const harness = await startTestDatabases({ ...${JSON.stringify(options)}, onLeak: 'end', onPhase: reached });
    const [db] = await Promise.all([harness.acquire(), harness.acquire(), harness.empty()]);
    reached('acquired');
    await db.pool.query("insert into people (name) values ('Ada')");
    const mending = db.reset();
    setImmediate(() => reached('mending'));
    await mending;
    await db.pool.query('begin; create table more (); prepare transaction ' + "'" + db.name + "'");
    reached('prepared');
    await db.pool.query('create table others ()');
    const renewing = db.reset();
    setTimeout(() => reached('renewing'), 15);
    await renewing;
    const stopping = harness.stop();
    setTimeout(() => reached('stopping'), 5);
    await stopping;`);
}

const phases = ['sweep.started', 'template.building', 'template.migrated', 'template.sealing', 'template.ready', 'run.ready'];
const sessions = `select from pg_stat_activity where datname = current_database() and application_name = 'ensure-migrated/testing'`;
const later = ['acquired', 'mending', 'prepared', 'renewing', 'stopping'];

test.each([...phases, ...later])('a runner that is killed at %s leaves no database that the next start does not drop', async (phase) => {
  const maintenance = await createDatabase();
  const migrations = await makeDirectory(files);
  expect(await startRunner({ migrations, url: maintenance.url }, phase).ended).toMatchObject({ signal: 'SIGKILL', stderr: '' });
  // The server may be in the middle of a statement for it, and ends its session after that.
  await expect.poll(async () => await maintenance.query(sessions), { timeout: 10_000, interval: 20 }).toEqual([]);
  const next = await startTestDatabases({ migrations, url: maintenance.url });
  const db = await next.acquire();
  expect(await ours(maintenance)).toEqual([db.name, expect.stringMatching(/^em_t_/)]);
  expect((await db.pool.query('select from countries')).rowCount).toBe(3);
  await next.stop();
  expect(await ours(maintenance)).toEqual([expect.stringMatching(/^em_t_/)]);
});

test('the databases of a run that is alive are nobody else’s to drop', async () => {
  const maintenance = await createDatabase();
  const migrations = await makeDirectory(files);
  const first = await startTestDatabases({ migrations, url: maintenance.url });
  const db = await first.acquire();
  await (await startTestDatabases({ migrations, url: maintenance.url })).stop();
  expect((await db.pool.query('select from countries')).rowCount).toBe(3);
  await first.stop();
});

test('a database with the name of ours and no mark of ours is left alone', async () => {
  const maintenance = await createDatabase();
  const [row] = await maintenance.query('select oid from pg_database where datname = current_database()');
  const name = `em_c_${row?.['oid']}_0123456789ab_cdef01`;
  await maintenance.query(`create database ${name}`);
  await (await startTestDatabases({ migrations: await makeDirectory(files), url: maintenance.url })).stop();
  expect(await ours(maintenance)).toContain(name);
  await maintenance.query(`drop database ${name}`);
});

test.each(['template.building', 'acquired', 'renewing'])(
  'a runner that is killed at %s takes its embedded server and its directory along',
  async (phase) => {
    const ended = await startRunner({ migrations: await makeDirectory(files), postgres: 18 }, phase).ended;
    expect(ended).toMatchObject({ signal: 'SIGKILL', stdout: expect.stringMatching(/^server \/\S*em-pg-\w+\n$/) as string });
    await expect.poll(() => existsSync(ended.stdout.slice('server '.length, -1)), { timeout: 5_000, interval: 20 }).toBe(false);
  },
);
