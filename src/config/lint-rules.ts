import type { Level } from '../finding.js';

interface LintRuleRow {
  readonly level: Level;
  readonly sentence: string;
}

/**
 * The rules of the lint, with their levels: `error` for what fails, or scans, rewrites or blocks a table above `lint.smallTableRows`; `warn` for
 * what destroys, renames or cannot be known; `info` for what is worth knowing. Most of style is off.
 */
export const lintRuleTable = {
  'set-not-null-scan': { level: 'error', sentence: 'SET NOT NULL reads the whole table under ACCESS EXCLUSIVE.' },
  'add-check-validated': {
    level: 'error',
    sentence: 'A CHECK that is added without NOT VALID reads the whole table under ACCESS EXCLUSIVE.',
  },
  'add-fk-validated': {
    level: 'error',
    sentence: 'A foreign key that is added without NOT VALID reads both tables while neither can be written.',
  },
  'add-unique-constraint': { level: 'error', sentence: 'ADD UNIQUE builds its index under ACCESS EXCLUSIVE.' },
  'add-primary-key': { level: 'error', sentence: 'ADD PRIMARY KEY builds its index under ACCESS EXCLUSIVE.' },
  'pk-using-nullable-index': { level: 'error', sentence: 'PRIMARY KEY USING INDEX on a column that may be null reads the whole table.' },
  'add-exclusion-constraint': { level: 'error', sentence: 'ADD EXCLUDE builds its index under ACCESS EXCLUSIVE.' },
  'validate-same-tx': { level: 'error', sentence: 'VALIDATE CONSTRAINT in a transaction that holds a strong lock already.' },
  'create-index-blocking': { level: 'error', sentence: 'CREATE INDEX without CONCURRENTLY blocks writes.' },
  'drop-index-blocking': { level: 'error', sentence: 'DROP INDEX without CONCURRENTLY locks the table.' },
  'reindex-blocking': { level: 'error', sentence: 'REINDEX without CONCURRENTLY blocks writes, and reads by that index.' },
  'concurrently-in-transaction': { level: 'error', sentence: 'CONCURRENTLY in a migration that runs in a transaction fails.' },
  'concurrently-on-partitioned': {
    level: 'error',
    sentence: 'An index on a partitioned table: concurrently fails, else it blocks all partitions.',
  },
  'invalid-index-left-behind': { level: 'error', sentence: 'IF NOT EXISTS passes over an invalid index of that name.' },
  'alter-type-rewrite': { level: 'error', sentence: 'A change of type that writes the table anew.' },
  'alter-type-revalidate': { level: 'error', sentence: 'A change of type that verifies a CHECK or builds an index again.' },
  'set-expression-rewrite': { level: 'error', sentence: 'SET EXPRESSION writes the table anew.' },
  'add-column-volatile-default': { level: 'error', sentence: 'A new column with a volatile default writes the table anew.' },
  'add-column-serial': { level: 'error', sentence: 'A new serial column writes the table anew.' },
  'add-column-identity': { level: 'error', sentence: 'A new identity column writes the table anew.' },
  'add-column-stored-generated': { level: 'error', sentence: 'A new stored generated column writes the table anew.' },
  'add-column-not-null-no-default': { level: 'error', sentence: 'A new NOT NULL column without a default fails where there are rows.' },
  'table-rewrite': { level: 'error', sentence: 'VACUUM FULL, CLUSTER, SET LOGGED and the like write the table anew.' },
  'refresh-matview-blocking': { level: 'error', sentence: 'REFRESH MATERIALIZED VIEW without CONCURRENTLY blocks its readers.' },
  'attach-partition-scan': { level: 'error', sentence: 'ATTACH PARTITION reads the whole table where no CHECK implies its bound.' },
  'default-partition-scan': { level: 'error', sentence: 'A new partition reads the default partition.' },
  'detach-partition-blocking': { level: 'error', sentence: 'DETACH PARTITION without CONCURRENTLY locks the parent.' },
  'alter-domain-constraint': { level: 'error', sentence: 'A constraint on a domain reads every table that uses it.' },
  'work-while-locked': { level: 'error', sentence: 'Long work in a transaction that holds ACCESS EXCLUSIVE.' },
  'multiple-table-locks': { level: 'warn', sentence: 'Strong locks on several tables in one transaction.' },
  'bulk-dml': { level: 'error', sentence: 'UPDATE or DELETE of a whole large table in one transaction.' },
  'explicit-lock': { level: 'error', sentence: 'LOCK TABLE in a mode that blocks writes.' },
  'missing-lock-timeout': { level: 'info', sentence: 'The migration turns lock_timeout off and takes a strong lock.' },
  'enum-value-used-in-same-tx': { level: 'error', sentence: 'A new enum value is used in the transaction that adds it.' },
  'rename-table': { level: 'warn', sentence: 'A table that older code uses gets another name.' },
  'rename-column': { level: 'warn', sentence: 'A column that older code uses gets another name.' },
  'rename-schema': { level: 'warn', sentence: 'A schema that older code uses gets another name.' },
  'rename-enum-value': { level: 'warn', sentence: 'An enum value that older code uses gets another name.' },
  'set-schema': { level: 'warn', sentence: 'A table moves to another schema.' },
  'drop-table': { level: 'warn', sentence: 'A table is dropped, with its rows.' },
  'drop-column': { level: 'warn', sentence: 'A column is dropped, with its values.' },
  'drop-schema': { level: 'warn', sentence: 'A schema is dropped.' },
  'drop-view': { level: 'warn', sentence: 'A view that older code uses is dropped.' },
  truncate: { level: 'warn', sentence: 'TRUNCATE removes all rows.' },
  'drop-cascade': { level: 'warn', sentence: 'CASCADE drops what the statement does not name.' },
  'drop-not-null': { level: 'info', sentence: 'A column may be null from now on.' },
  'drop-constraint': { level: 'info', sentence: 'A constraint is dropped.' },
  'rls-without-policy': { level: 'warn', sentence: 'Row level security without a policy hides every row.' },
  'nested-transaction': { level: 'error', sentence: 'A migration in a transaction begins or ends one itself.' },
  'session-state-leak': { level: 'info', sentence: 'SET without LOCAL: it is put back after the migration.' },
  'opaque-code': { level: 'warn', sentence: 'Code in the database of which the statement does not tell what it does.' },
  'data-dependent': { level: 'info', sentence: 'The statement fails if the rows that are there do not fit.' },
  'fk-missing-index': { level: 'warn', sentence: 'A foreign key without an index on its columns.' },
  'fk-type-mismatch': { level: 'warn', sentence: 'A foreign key between columns of different types.' },
  'duplicate-index': { level: 'warn', sentence: 'An index that another one covers.' },
  'knex-placeholder-in-literal': { level: 'error', sentence: 'knex has written a placeholder into a literal.' },
  'prefer-jsonb': { level: 'info', sentence: 'A column of type json.' },
  'prefer-bigint-pk': { level: 'off', sentence: 'A primary key of a type smaller than bigint.' },
  'prefer-timestamptz': { level: 'off', sentence: 'A column of type timestamp without time zone.' },
  'prefer-identity': { level: 'off', sentence: 'A serial column.' },
  'prefer-text': { level: 'off', sentence: 'A column of type varchar(n).' },
  'ban-char': { level: 'off', sentence: 'A column of type char(n).' },
  'identifier-too-long': { level: 'info', sentence: 'A name of more than 63 bytes, which the server cuts off.' },
} as const satisfies Record<string, LintRuleRow>;

export type LintRule = keyof typeof lintRuleTable;
