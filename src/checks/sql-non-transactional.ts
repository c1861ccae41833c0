import { findNonTransactional } from '../source/index.js';
import type { BuiltInCheck } from './check.js';
import { foundInScript, searchScripts } from './scripts.js';

/** Does a transactional .sql migration hold a statement that PostgreSQL refuses inside a transaction? */
export const sqlNonTransactional: BuiltInCheck = {
  rule: 'sql-non-transactional',
  async find(asked) {
    return (await searchScripts(asked, findNonTransactional)).map((fault) => {
      const { migration, line, statement } = fault;
      const message = `${migration.name}:${line} has "${statement}", which PostgreSQL refuses inside a transaction`;
      return foundInScript(fault, message, 'Make `-- transaction: false` the first line of the file, and leave only this statement in it.');
    });
  },
};
