import type { BuiltInCheck } from './check.js';

const oldest = 14;
const newest = 18;

/** Is this a version of PostgreSQL that the library is tested with? */
export const serverVersion: BuiltInCheck = {
  rule: 'server-version',
  find({ facts: { serverVersion } }) {
    const major = Math.floor(serverVersion / 10_000);
    const shown = `${major}.${serverVersion % 10_000}`;
    if (major < oldest) {
      const message = `the server is PostgreSQL ${shown}, which has no client_connection_check_interval and no idle_session_timeout: a migrator that is killed would keep the lock`;
      return [{ message, remedy: `Upgrade the server to PostgreSQL ${oldest} or later.` }];
    }
    if (major <= newest) return [];
    const message = `the server is PostgreSQL ${shown}; this version of ensure-migrated is tested up to ${newest}`;
    return [{ message, remedy: 'Look for a newer version of ensure-migrated.', level: 'info' }];
  },
};
