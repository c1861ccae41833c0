import type { Action, ActionOf } from '../actions/index.js';
import { isOpaque } from '../opaque.js';
import type { Judging } from '../rule.js';
import { addColumn, addIdentity, alterType, dropColumn, dropDefault, dropExpression, dropIdentity, setNotNull } from './columns.js';
import { addConstraint, alterConstraint, createUniqueIndex, dropConstraint } from './constraints.js';
import { drop } from './drop.js';
import { rename, setSchema } from './rename.js';
import { alterDomain, alterTable, attachPartition, detachPartition, refresh, removeRows, revoke, rowSecurity } from './tables.js';
import { createFunction, createPolicy, createTrigger } from './triggers.js';

/** The judge of one kind of action. */
export type Reason<Kind extends Action['kind']> = (action: ActionOf<Kind>, at: Judging) => string | undefined;

/**
 * Why code that is older than a migration cannot run any more once it has done this: a sentence with the object's name; undefined where it can. Old code is taken to
 * name its columns, to write any row that it could write before, and to read each value as what it was. So a wider varchar is no change to it, and a bigint
 * in the place of an integer is one: pg hands it out as a string. What is made by what is linted it does not know. Not felt: new columns that may be
 * left out, new tables with keys to old ones, new enum values (which only newer code writes), nulls where there were none, names of
 * constraints and indexes, functions and views that are replaced (the server keeps their arguments and columns). What nobody can tell is breaking. Pure.
 */
export function breaksOldCode(action: Action, at: Judging): string | undefined {
  const reason = (reasons as Readonly<Record<string, ((action: never, at: Judging) => string | undefined) | undefined>>)[action.kind];
  return reason?.(action as never, at);
}

const reasons: { readonly [Kind in Action['kind']]?: Reason<Kind> } = {
  'add-column': addColumn,
  'drop-column': dropColumn,
  'set-not-null': setNotNull,
  'drop-default': dropDefault,
  'add-identity': addIdentity,
  'drop-identity': dropIdentity,
  'drop-expression': dropExpression,
  'alter-type': alterType,
  'add-constraint': addConstraint,
  'alter-constraint': alterConstraint,
  'drop-constraint': dropConstraint,
  'create-index': createUniqueIndex,
  'attach-partition': attachPartition,
  'detach-partition': detachPartition,
  'row-security': rowSecurity,
  'alter-table': alterTable,
  'create-trigger': createTrigger,
  'create-policy': createPolicy,
  'create-function': createFunction,
  truncate: removeRows,
  delete: removeRows,
  refresh,
  drop,
  rename,
  'set-schema': setSchema,
  'alter-domain': alterDomain,
  revoke,
  opaque: (action, { catalog }) =>
    isOpaque(action, catalog) ? `runs ${opaque[action.why](action.name)}, and nobody can tell what that does` : undefined,
  other: ({ statement }) => others[statement],
};

const opaque: Readonly<Record<ActionOf<'opaque'>['why'], (name: string) => string>> = {
  execute: () => 'SQL that it puts together while it runs',
  call: (name) => `the procedure ${name}`,
  function: (name) => `the function ${name}`,
  language: (name) => `a block in ${name}`,
  unreadable: () => 'a statement that the parser cannot read',
};

const others: Readonly<Record<string, string>> = {
  AlterTypeStmt: 'changes a type',
  AlterOwnerStmt: 'gives something to another owner',
  DropRoleStmt: 'drops a role',
};
