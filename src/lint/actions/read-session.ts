import type { GrantStmt, Node, VariableSetStmt } from 'libpg-query';
import type { Action, ActionOf } from './action.js';
import { hasOption, nameOf, objectKind, partsOf, relationName, writtenName } from './names.js';
import type { Readers } from './readers.js';

/** The session with its transaction, rights, and the server as a whole. */
export const sessionReaders: Readers = {
  GrantStmt: readGrant,
  GrantRoleStmt: ({ is_grant, granted_roles = [] }) =>
    is_grant
      ? []
      : [
          {
            kind: 'revoke',
            what: `role ${granted_roles.map((each) => ('AccessPriv' in each ? each.AccessPriv.priv_name : '')).join(', ')}`,
            object: 'role',
            on: [],
          },
        ],
  VariableSetStmt: readSet,
  TransactionStmt: ({ kind = '', savepoint_name }) => {
    const how = transactionKinds[kind] ?? 'savepoint';
    return [{ kind: 'transaction', how, ...(savepoint_name !== undefined && { name: savepoint_name }) }];
  },
  // What is refused in a transaction is told from what is not.
  DiscardStmt: ({ target }) => [{ kind: 'other', statement: target === 'DISCARD_ALL' ? 'DiscardStmt' : 'DiscardSomeStmt' }],
  AlterDatabaseStmt: ({ options }) => [
    { kind: 'other', statement: hasOption(options, 'tablespace') ? 'AlterDatabaseTablespaceStmt' : 'AlterDatabaseStmt' },
  ],
  CreateSubscriptionStmt: ({ options }) => {
    const mayHaveSlot = ['connect', 'create_slot', 'slot_name'].some((name) => hasOption(options, name));
    return [{ kind: 'other', statement: mayHaveSlot ? 'CreateSubscriptionWithStmt' : 'CreateSubscriptionStmt' }];
  },
};

// `on all tables in schema` names schemas.
function readGrant({ is_grant, objects = [], objtype, targtype }: GrantStmt): Action[] {
  if (is_grant) return [];
  const object = targtype === 'ACL_TARGET_ALL_IN_SCHEMA' ? 'schema' : objectKind(objtype);
  const on = objects.map((each) => ('RangeVar' in each ? relationName(each.RangeVar) : nameOf(partsOf(each))));
  const all = targtype === 'ACL_TARGET_ALL_IN_SCHEMA' ? `every ${objectKind(objtype)} of ` : '';
  const what = `${all}${object} ${on.map(writtenName).join(', ')}`;
  return targtype === 'ACL_TARGET_DEFAULTS' ? [] : [{ kind: 'revoke', what, object, on }];
}

const transactionKinds = {
  TRANS_STMT_BEGIN: 'begin',
  TRANS_STMT_START: 'begin',
  TRANS_STMT_COMMIT: 'commit',
  TRANS_STMT_COMMIT_PREPARED: 'commit',
  TRANS_STMT_ROLLBACK: 'rollback',
  TRANS_STMT_ROLLBACK_PREPARED: 'rollback',
  TRANS_STMT_PREPARE: 'prepare',
  TRANS_STMT_RELEASE: 'release',
  TRANS_STMT_ROLLBACK_TO: 'rollback-to',
} as Readonly<Record<string, ActionOf<'transaction'>['how']>>;

function readSet({ name = '', args = [], is_local = false, kind }: VariableSetStmt): Action[] {
  if (kind === 'VAR_SET_MULTI') return [{ kind: 'other', statement: 'VariableSetStmt' }]; // of the transaction, not of the session
  if (name === 'role' || name === 'session_authorization') return [{ kind: 'set-role', local: is_local }];
  return [{ kind: 'set', name: kind === 'VAR_RESET_ALL' ? 'all' : name, local: is_local, values: args.map(constantOf) }];
}

/** A constant as text; empty for what is none. */
export function constantOf(node: Node): string {
  if (!('A_Const' in node)) return '';
  const { sval, ival, fval, boolval } = node.A_Const;
  return sval?.sval ?? fval?.fval ?? (boolval ? String(boolval.boolval === true) : String(ival?.ival ?? 0));
}
