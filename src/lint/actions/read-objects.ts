import type { DropStmt, RenameStmt } from 'libpg-query';
import type { Action } from './action.js';
import { nameOf, objectKind, partsOf, stringsOf, tableOf } from './names.js';
import type { Readers } from './readers.js';

/** Objects of whatever kind, and those that are no tables. */
export const objectReaders: Readers = {
  DropStmt: readDrop,
  DropOwnedStmt: () => [{ kind: 'drop', object: 'other', name: { name: 'all that a role owns' }, cascade: false, concurrently: false }],
  RenameStmt: readRename,
  AlterObjectSchemaStmt: ({ objectType, relation, object, newschema = '' }) => [
    {
      kind: 'set-schema',
      object: objectKind(objectType),
      name: relation ? tableOf(relation) : nameOf(object ? partsOf(object) : []),
      to: newschema,
    },
  ],
  CreateFunctionStmt: ({ funcname, replace = false }) => [
    { kind: 'create-function', name: nameOf(stringsOf(funcname)), replace, refuses: 'unknown' },
  ],
  CreateEnumStmt: ({ typeName, vals }) => [{ kind: 'create-enum', type: nameOf(stringsOf(typeName)), values: stringsOf(vals) }],
  AlterEnumStmt: ({ typeName, oldVal, newVal = '' }) => {
    const type = nameOf(stringsOf(typeName));
    if (oldVal !== undefined) return [{ kind: 'rename', object: 'enum-value', name: type, part: oldVal, to: newVal }];
    return [{ kind: 'add-enum-value', type, value: newVal }];
  },
  AlterDomainStmt: ({ subtype = '', typeName, def }) => {
    const how = domainChanges[subtype];
    if (how === undefined) return [{ kind: 'other', statement: 'AlterDomainStmt' }];
    const validated = !(def && 'Constraint' in def && def.Constraint.skip_validation === true);
    return [{ kind: 'alter-domain', domain: nameOf(stringsOf(typeName)), how, validated }];
  },
};

const ofTables: ReadonlySet<string> = new Set(['OBJECT_TRIGGER', 'OBJECT_POLICY', 'OBJECT_RULE']);

// The last part is the object's own; of a trigger, a policy or a rule the parts before it name its table.
function readDrop({ objects = [], removeType, behavior, concurrent = false }: DropStmt): Action[] {
  const object = objectKind(removeType);
  const rest = { cascade: behavior === 'DROP_CASCADE', concurrently: concurrent };
  return objects.map((each): Action => {
    const parts = partsOf(each);
    if (!ofTables.has(removeType ?? '')) return { kind: 'drop', object, name: nameOf(parts), ...rest };
    return { kind: 'drop', object, name: { name: parts.at(-1) ?? '' }, table: nameOf(parts.slice(0, -1)), ...rest };
  });
}

function readRename({ renameType, relation, object, subname, newname = '' }: RenameStmt): Action[] {
  const kind = objectKind(renameType);
  if (kind === 'schema') return [{ kind: 'rename', object: kind, name: { name: subname ?? '' }, to: newname }];
  const name = relation ? tableOf(relation) : nameOf(object ? partsOf(object) : []);
  return [{ kind: 'rename', object: kind, name, to: newname, ...(subname !== undefined && { part: subname }) }];
}

const domainChanges = {
  C: 'add-constraint',
  V: 'validate',
  O: 'set-not-null',
  N: 'drop-not-null',
  X: 'drop-constraint',
  T: 'set-default',
} as Readonly<Record<string, 'add-constraint' | 'validate' | 'set-not-null' | 'drop-not-null' | 'drop-constraint' | 'set-default'>>;
