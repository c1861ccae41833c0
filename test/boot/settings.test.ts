import { expect, test } from 'vitest';
import { startRewritingProxy } from '../support/rewriting-proxy.js';
import { makeProject, type Project } from './project.js';

/** What a migrating session is set to, as pg_settings shows it. */
const settings = {
  client_connection_check_interval: '1000',
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  idle_in_transaction_session_timeout: '15000',
  idle_session_timeout: '15000',
  lock_timeout: '0',
  statement_timeout: '0',
  synchronous_commit: 'on',
  tcp_keepalives_count: '3',
  tcp_keepalives_idle: '30',
  tcp_keepalives_interval: '10',
  tcp_user_timeout: '15000',
  transaction_isolation: 'read committed',
};

const reading = `select name, setting from pg_settings where name in ('${Object.keys(settings).join(`', '`)}') order by name`;
const moduleOf = (table: string, config: string) => `exports.config = ${config};
  exports.up = async (knex) => await knex.raw("create table ${table} as ${reading}");
  exports.down = async () => undefined;`;

const contrary = {
  client_connection_check_interval: 0,
  default_transaction_isolation: 'serializable',
  idle_in_transaction_session_timeout: 7_000,
  idle_session_timeout: 0,
  lock_timeout: 7_000,
  statement_timeout: 60_000,
  synchronous_commit: 'off',
  tcp_keepalives_count: 1,
  tcp_keepalives_idle: 1,
  tcp_keepalives_interval: 1,
  tcp_user_timeout: 7_000,
};

test('the settings of a session that migrates are ours, whatever the role and the database say, in a transaction and outside', async () => {
  const project = await makeProject({ '01_in.js': moduleOf('inside', '{}'), '02_out.js': moduleOf('outside', '{ transaction: false }') });
  const { database } = project;
  const role = await database.createRole();
  await database.query(`grant create on schema public to ${role.name}`);
  const says = Object.entries(contrary).map(([name, value]) => `alter role ${role.name} set ${name} = '${value}';`);
  await database.query(says.join(' '));
  await project.boot({ connection: role.url });
  for (const table of ['inside', 'outside']) expect(await readBy(project, table), table).toEqual(settings);
});

test('a setting that the server refuses is left out and told, and the others hold', async () => {
  const project = await makeProject({ '01_in.js': moduleOf('inside', '{}'), '02_next.js': moduleOf('next', '{}') });
  const [refused, value] = [`'client_connection_check_interval', '1000'`, `'client_connection_check_interval', '-1'`];
  const connection = await startRewritingProxy(project.database.url, { in: refused, from: refused, to: value });
  await project.boot({ connection });
  expect(project.events.filter(({ event }) => event === 'connect.setting-refused')).toEqual([
    expect.objectContaining({ setting: 'client_connection_check_interval', reason: expect.stringContaining('-1') as string }),
  ]);
  for (const table of ['inside', 'next'])
    // what the first has set is put back before the second
    expect(await readBy(project, table), table).toEqual({ ...settings, client_connection_check_interval: '0' });
  expect(await project.ending({ connection })).toBe('in-sync');
});

async function readBy({ database }: Project, table: string): Promise<Record<string, unknown>> {
  const rows = await database.query(`select name, setting from ${table} order by name`);
  return Object.fromEntries(rows.map(({ name, setting }) => [name as string, setting]));
}
