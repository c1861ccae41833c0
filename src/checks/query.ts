import type { Session } from '../session/index.js';
import type { Asked } from './check.js';

/**
 * Queries of checks. Behind a pooler the transaction that holds the lock is open already and would fail with a query that fails, so each
 * stands behind a savepoint there.
 */
export function guarded(session: Session): Asked['query'] {
  return async <Row>(text: string, values: readonly unknown[] = []) => {
    if (session.wire.status === 'I') return await session.query<Row>(text, values);
    await session.send('savepoint ensure_migrated_check');
    try {
      return await session.query<Row>(text, values);
    } finally {
      // Rolling back to it is as good as releasing it: nothing was written.
      if (!session.wire.lost) await session.send('rollback to savepoint ensure_migrated_check; release savepoint ensure_migrated_check');
    }
  };
}
