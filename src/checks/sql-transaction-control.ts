import { findTransactionControl } from '../source/index.js';
import type { BuiltInCheck } from './check.js';
import { foundInScript, searchScripts } from './scripts.js';

/** Does a transactional .sql migration begin or end a transaction itself? Then its change and its history row would not commit together. */
export const sqlTransactionControl: BuiltInCheck = {
  rule: 'sql-transaction-control',
  async find(asked) {
    return (await searchScripts(asked, findTransactionControl)).map((fault) => {
      const { migration, line, statement } = fault;
      const message = `${migration.name}:${line} has "${statement}", but the migration runs in a transaction that also writes its history row`;
      return foundInScript(fault, message, 'Take the statement out: ensure-migrated begins and commits. Savepoints may stay.');
    });
  },
};
