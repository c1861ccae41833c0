// A package that brings a table. It depends on nothing: what it exports for ensure-migrated is plain data.

/**
 * For the option `streams` of ensure-migrated.
 * @type {import('ensure-migrated').Stream}
 */
export const auditStream = { name: 'acme_audit', migrations: new URL('./migrations', import.meta.url) };

/** Writes down who did what, in the transaction of the caller. */
export async function audit(client, { actor, action, details = {} }) {
  await client.query('insert into acme_audit_log (actor, action, details) values ($1, $2, $3)', [actor, action, details]);
}

/** The newest entries, newest first. */
export async function readLog(client, count) {
  const { rows } = await client.query('select actor, action, details from acme_audit_log order by id desc limit $1', [count]);
  return rows;
}
