import type { BuiltInCheck } from './check.js';

/** Does a pooler stand between us and the server? Then no session is ours, and the lock lives in the one transaction that does everything. */
export const pooler: BuiltInCheck = {
  rule: 'pooler',
  find({ pooled, session, facts }) {
    if (!pooled) return [];
    const pids = `told pid ${session.wire.processId} when it connected, served by pid ${facts.backendPid}`;
    const message = `the connection goes through a pooler (${pids}): the lock and all pending migrations share one transaction`;
    return [{ message, remedy: 'Give `directConnection` (ENSURE_MIGRATED_DIRECT_URL), a connection that goes around the pooler.' }];
  },
};
