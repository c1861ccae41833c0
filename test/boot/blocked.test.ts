import type pg from 'pg';
import { expect, test } from 'vitest';
import { makeScene, untouched, type Hostile, type Scene } from '../support/scene.js';

const code = (...statements: readonly string[]) => statements.map((sql) => `await knex.raw(${JSON.stringify(sql)});`).join('\n');

/** A scene whose first migration is applied, and a role that owns it. */
async function makeOwned(hostile: Hostile, attributes: string): Promise<{ scene: Scene; connection: string }> {
  const scene = await makeScene(hostile);
  const role = await scene.database.createRole(attributes);
  await scene.database.query(`grant all on schema public to ${role.name}`);
  const first = (await import(`${scene.directory}/0001_before.js`)) as object;
  await scene.boot({ connection: role.url, migrations: { modules: { '0001_before.js': first } } });
  return { scene, connection: role.url };
}

async function openClient(scene: Scene, application: string): Promise<{ client: pg.Client; pid: number }> {
  const client = await scene.database.connect();
  await client.query(`set application_name = '${application}'`);
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  return { client, pid: rows[0]!.pid };
}

test('a deadlock that is there at each try is reported with the session behind it, and with what the server said of it', async () => {
  const body = code('alter table patients add column phone text', 'lock table gate');
  // One connection: nobody watches, so that each try ends with the deadlock and not with a cancel.
  const { scene, connection } = await makeOwned({ body }, 'connection limit 1');
  await scene.database.query('create table gate (); grant all on gate to public');
  await scene.database.query(`alter database ${scene.database.name} set deadlock_timeout = '1ms'`); // we are the victim
  const { client, pid } = await openClient(scene, 'nightly report');
  await client.query(`set deadlock_timeout = '1h'; begin; lock table gate`);
  let ended = false;
  const failing = scene.fail({ connection, timeouts: { callMs: 400 } }).finally(() => (ended = true));
  while (!ended) await client.query('savepoint s; lock table patients; rollback to s');
  const error = await failing;
  expect(error).toMatchObject({ code: 'EM_BLOCKED', retryable: true, exitCode: 75 });
  const said = `the server said: Process \\d+ waits for .*blocked by process ${pid}\\.`;
  expect(error.message).toMatch(new RegExp(`blocked by a deadlock with pid ${pid} \\([^)]*nightly report[^)]*\\); ${said}`));
  expect(scene.events).toContainEqual(expect.objectContaining({ event: 'step.retried', tries: 1 }));
  await client.query('rollback');
  expect(await scene.aftermath()).toMatchObject({ ...untouched, tables: ['gate', 'log', 'patients'] });
  await scene.heal({ connection });
});
