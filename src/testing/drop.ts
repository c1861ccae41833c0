import { sqlStateOf } from '../errors.js';
import { identifier } from '../sql.js';
import type { Desk } from './desk.js';
import { withLink } from './link.js';

/** Drops a database of ours with the sessions in it, and with its prepared transactions, which would keep it. */
export async function dropDatabase(desk: Desk, name: string): Promise<void> {
  const drop = `drop database if exists ${identifier(name)} with (force)`;
  try {
    await desk.link.query(drop);
  } catch (error) {
    if (sqlStateOf(error) !== '55006') throw error;
    await endPrepared(desk.urlOf(name));
    await desk.link.query(drop);
  }
}

/** Drops a template, or what was to become one. */
export async function dropTemplate(desk: Desk, name: string): Promise<void> {
  try {
    await desk.link.query(`alter database ${identifier(name)} is_template false`);
  } catch (error) {
    if (sqlStateOf(error) !== '3D000') throw error; // somebody was first
  }
  await dropDatabase(desk, name);
}

async function endPrepared(url: string): Promise<void> {
  await withLink(url, async (link) => {
    const rows = await link.query<{ statement: string }>(
      `select pg_catalog.format('rollback prepared %L', gid) as statement from pg_catalog.pg_prepared_xacts
       where database = pg_catalog.current_database()`,
    );
    for (const { statement } of rows) await link.query(statement);
  });
}
