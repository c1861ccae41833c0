import type { Session } from './index.js';

const savepoint = 'ensure_migrated_question';

/** A query of ours that leaves the session as it was, whatever becomes of it. */
export type GuardedQuery = <Row>(text: string, values?: readonly unknown[]) => Promise<Row[]>;

/**
 * Makes a way to ask the catalogs. Where a transaction is open (behind a pooler, or a migration's) the query would take it along when it fails, so
 * each stands behind a savepoint there. With `lockTimeoutMs` it waits no longer than that for a lock, and throws 55P03.
 */
export function guarded(session: Session, { lockTimeoutMs }: { readonly lockTimeoutMs?: number } = {}): GuardedQuery {
  const limit = lockTimeoutMs === undefined ? '' : `set local lock_timeout = ${lockTimeoutMs};`;
  return async <Row>(text: string, values: readonly unknown[] = []) => {
    const inTransaction = session.wire.status !== 'I';
    if (!inTransaction && limit === '') return await session.query<Row>(text, values);
    await session.send(inTransaction ? `savepoint ${savepoint}; ${limit}` : `begin read only; ${limit}`);
    // Rolling back to it is as good as releasing it: nothing was written.
    const end = inTransaction ? `rollback to savepoint ${savepoint}; release savepoint ${savepoint}` : 'rollback';
    const rows = await session.query<Row>(text, values).catch(async (error: unknown) => {
      if (!session.wire.lost) await session.send(end).catch(() => undefined); // what it fails with would hide what the query has failed with
      throw error;
    });
    if (!session.wire.lost) await session.send(end);
    return rows;
  };
}
