import type { BuiltInCheck } from './check.js';
import { resetRemedy } from './server.js';

/** Can anything be written here? */
export const notWritable: BuiltInCheck = {
  rule: 'not-writable',
  async find({ facts, readServer }) {
    if (facts.inRecovery) {
      const message = `the server of "${facts.database}" is a standby, which accepts no writes`;
      return [{ message, remedy: 'Point the connection at the primary (the writer endpoint).' }];
    }
    // Not facts.readOnly: that was read before the session overrode what the role or the database says.
    const server = await readServer();
    if (!server.isReadOnly) return [];
    const message = `transactions of the role "${server.loginRole}" in "${facts.database}" are read-only (default_transaction_read_only)`;
    return [{ message, remedy: resetRemedy(server, 'default_transaction_read_only', facts) }];
  },
};
