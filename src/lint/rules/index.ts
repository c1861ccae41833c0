import type { Action } from '../actions/index.js';
import type { Rule } from '../rule.js';
import { addCheckValidated } from './add-check-validated.js';
import { addColumnIdentity } from './add-column-identity.js';
import { addColumnNotNullNoDefault } from './add-column-not-null-no-default.js';
import { addColumnSerial } from './add-column-serial.js';
import { addColumnStoredGenerated } from './add-column-stored-generated.js';
import { addColumnVolatileDefault } from './add-column-volatile-default.js';
import { addExclusionConstraint } from './add-exclusion-constraint.js';
import { addFkValidated } from './add-fk-validated.js';
import { addPrimaryKey } from './add-primary-key.js';
import { addUniqueConstraint } from './add-unique-constraint.js';
import { alterDomainConstraint } from './alter-domain-constraint.js';
import { alterTypeRevalidate } from './alter-type-revalidate.js';
import { alterTypeRewrite } from './alter-type-rewrite.js';
import { attachPartitionScan } from './attach-partition-scan.js';
import { banChar } from './ban-char.js';
import { bulkDml } from './bulk-dml.js';
import { concurrentlyInTransaction } from './concurrently-in-transaction.js';
import { concurrentlyOnPartitioned } from './concurrently-on-partitioned.js';
import { createIndexBlocking } from './create-index-blocking.js';
import { dataDependent } from './data-dependent.js';
import { defaultPartitionScan } from './default-partition-scan.js';
import { detachPartitionBlocking } from './detach-partition-blocking.js';
import { dropCascade } from './drop-cascade.js';
import { dropColumn } from './drop-column.js';
import { dropConstraint } from './drop-constraint.js';
import { dropIndexBlocking } from './drop-index-blocking.js';
import { dropNotNull } from './drop-not-null.js';
import { dropSchema } from './drop-schema.js';
import { dropTable } from './drop-table.js';
import { dropView } from './drop-view.js';
import { duplicateIndex } from './duplicate-index.js';
import { enumValueUsedInSameTx } from './enum-value-used-in-same-tx.js';
import { explicitLock } from './explicit-lock.js';
import { fkMissingIndex } from './fk-missing-index.js';
import { fkTypeMismatch } from './fk-type-mismatch.js';
import { identifierTooLong } from './identifier-too-long.js';
import { invalidIndexLeftBehind } from './invalid-index-left-behind.js';
import { knexPlaceholderInLiteral } from './knex-placeholder-in-literal.js';
import { missingLockTimeout } from './missing-lock-timeout.js';
import { multipleTableLocks } from './multiple-table-locks.js';
import { nestedTransaction } from './nested-transaction.js';
import { opaqueCode } from './opaque-code.js';
import { pkUsingNullableIndex } from './pk-using-nullable-index.js';
import { preferBigintPk } from './prefer-bigint-pk.js';
import { preferIdentity } from './prefer-identity.js';
import { preferJsonb } from './prefer-jsonb.js';
import { preferText } from './prefer-text.js';
import { preferTimestamptz } from './prefer-timestamptz.js';
import { refreshMatviewBlocking } from './refresh-matview-blocking.js';
import { reindexBlocking } from './reindex-blocking.js';
import { renameColumn } from './rename-column.js';
import { renameEnumValue } from './rename-enum-value.js';
import { renameSchema } from './rename-schema.js';
import { renameTable } from './rename-table.js';
import { rlsWithoutPolicy } from './rls-without-policy.js';
import { sessionStateLeak } from './session-state-leak.js';
import { setExpressionRewrite } from './set-expression-rewrite.js';
import { setNotNullScan } from './set-not-null-scan.js';
import { setSchema } from './set-schema.js';
import { tableRewrite } from './table-rewrite.js';
import { truncate } from './truncate.js';
import { validateSameTx } from './validate-same-tx.js';
import { workWhileLocked } from './work-while-locked.js';

/** Every rule, in the order in which their findings on one action are told. */
export const lintRules: readonly Rule[] = [
  setNotNullScan,
  addCheckValidated,
  addFkValidated,
  addUniqueConstraint,
  addPrimaryKey,
  pkUsingNullableIndex,
  addExclusionConstraint,
  validateSameTx,
  alterTypeRewrite,
  alterTypeRevalidate,
  setExpressionRewrite,
  addColumnVolatileDefault,
  addColumnSerial,
  addColumnIdentity,
  addColumnStoredGenerated,
  addColumnNotNullNoDefault,
  alterDomainConstraint,
  dataDependent,
  fkMissingIndex,
  fkTypeMismatch,
  createIndexBlocking,
  dropIndexBlocking,
  reindexBlocking,
  concurrentlyInTransaction,
  concurrentlyOnPartitioned,
  invalidIndexLeftBehind,
  duplicateIndex,
  tableRewrite,
  refreshMatviewBlocking,
  attachPartitionScan,
  defaultPartitionScan,
  detachPartitionBlocking,
  workWhileLocked,
  multipleTableLocks,
  bulkDml,
  explicitLock,
  missingLockTimeout,
  enumValueUsedInSameTx,
  nestedTransaction,
  renameTable,
  renameColumn,
  renameSchema,
  renameEnumValue,
  setSchema,
  dropTable,
  dropColumn,
  dropSchema,
  dropView,
  truncate,
  dropCascade,
  dropNotNull,
  dropConstraint,
  rlsWithoutPolicy,
  sessionStateLeak,
  opaqueCode,
  knexPlaceholderInLiteral,
  preferJsonb,
  preferBigintPk,
  preferTimestamptz,
  preferIdentity,
  preferText,
  banChar,
  identifierTooLong,
];

/** By the kind of action that they look at. */
export const rulesOn: ReadonlyMap<Action['kind'], readonly Rule[]> = lintRules.reduce(
  (byKind, rule) => rule.on.reduce((all, kind) => all.set(kind, [...(all.get(kind) ?? []), rule]), byKind),
  new Map<Action['kind'], readonly Rule[]>(),
);
