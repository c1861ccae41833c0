import { sqlStateOf } from '../errors.js';
import { identifier, literal } from '../sql.js';
import type { Desk } from './desk.js';
import { withLink } from './link.js';
import { databaseName, keptMark } from './names.js';

/** Drops a database of ours with the sessions in it, and with all else that would keep it. */
export async function dropDatabase(desk: Desk, name: string): Promise<void> {
  const drop = `drop database if exists ${identifier(name)} with (force)`;
  try {
    await desk.link.query(drop);
  } catch (error) {
    // 55006: a prepared transaction, a subscription or a slot of logical replication holds it. 42809: a test has made it a template.
    if (!['55006', '42809'].includes(sqlStateOf(error) ?? '')) throw error;
    await endHolders(desk, name);
    await desk.link.query(drop);
  }
}

/** Gives a database of ours another name, which it returns, and marks it as kept. Ends the sessions in it. */
export async function setAside(desk: Desk, name: string): Promise<string> {
  const kept = databaseName('c', desk.facts.oid, desk.run);
  const { query } = desk.link;
  await endHolders(desk, name); // a rename would wait 5 s for each
  await query(`alter database ${identifier(name)} with allow_connections false`); // nobody comes in the meantime
  await query(`select pg_catalog.pg_terminate_backend(pid, 5000) from pg_catalog.pg_stat_activity where datname = $1`, [name]);
  await query(`alter database ${identifier(name)} rename to ${identifier(kept)}`);
  const comment = literal(`${keptMark}${new Date().toISOString()}`);
  await query(
    `comment on database ${identifier(kept)} is ${comment}; alter database ${identifier(kept)} allow_connections true connection limit -1`,
  );
  return kept;
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

// Without its slot, which is on another server, a subscription goes in a transaction and asks nobody.
const holdersSql = `select pg_catalog.format('rollback prepared %L', gid) as end from pg_catalog.pg_prepared_xacts where database = pg_catalog.current_database()
  union all select pg_catalog.format('alter subscription %1$I disable; alter subscription %1$I set (slot_name = none); drop subscription %1$I', subname)
    from pg_catalog.pg_subscription where subdbid = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
  union all select pg_catalog.format('select pg_catalog.pg_terminate_backend(active_pid, 5000) from pg_catalog.pg_replication_slots where slot_name = %1$L;
      select pg_catalog.pg_drop_replication_slot(%1$L)', slot_name)
    from pg_catalog.pg_replication_slots where database = pg_catalog.current_database()`;

async function endHolders({ link, urlOf }: Desk, name: string): Promise<void> {
  await link.query(`alter database ${identifier(name)} with is_template false allow_connections true connection limit -1`);
  await withLink(urlOf(name), async (own) => {
    for (const holder of await own.query<{ end: string }>(holdersSql)) await own.query(holder.end);
  });
}
