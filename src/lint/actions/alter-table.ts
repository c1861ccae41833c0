import type { AlterTableCmd, AlterTableStmt, Node } from 'libpg-query';
import type { Action, Name } from './action.js';
import { readColumn, readConstraint } from './column.js';
import { relationName, stringsOf } from './names.js';

export function readAlterTable({ relation, cmds = [] }: AlterTableStmt): Action[] {
  const table = relationName(relation ?? {});
  const commands = cmds.flatMap((each) => ('AlterTableCmd' in each ? [each.AlterTableCmd] : []));
  return [...commands.filter(isFirst), ...commands.filter((each) => !isFirst(each))].map((command) => readCommand(table, command));
}

// AT_PASS_DROP of tablecmds.c: wherever they are written, the server does them first, and what they drop proves nothing to the others.
function isFirst({ subtype }: AlterTableCmd): boolean {
  return subtype === 'AT_DropColumn' || subtype === 'AT_DropConstraint' || subtype === 'AT_DropNotNull';
}

type Reader = (table: Name, command: AlterTableCmd) => Action;

const onColumn =
  (kind: 'set-not-null' | 'drop-not-null' | 'set-expression' | 'drop-expression' | 'drop-identity'): Reader =>
  (table, { name = '' }) => ({ kind, table, column: name });

const rowSecurity =
  (how: 'enable' | 'disable' | 'force' | 'no-force'): Reader =>
  (table) => ({ kind: 'row-security', table, how });

const rewrite =
  (how: 'set-logged' | 'set-unlogged' | 'set-access-method' | 'set-tablespace'): Reader =>
  (table) => ({ kind: 'rewrite-table', table, how });

const readers: Readonly<Record<string, Reader>> = {
  AT_AddColumn: (table, { def, missing_ok = false }) => ({
    kind: 'add-column',
    table,
    column: readColumn(columnDef(def)),
    ifNotExists: missing_ok,
  }),
  AT_DropColumn: (table, { name = '', behavior }) => ({ kind: 'drop-column', table, column: name, cascade: behavior === 'DROP_CASCADE' }),
  AT_SetNotNull: onColumn('set-not-null'),
  AT_DropNotNull: onColumn('drop-not-null'),
  AT_SetExpression: onColumn('set-expression'),
  AT_DropExpression: onColumn('drop-expression'),
  AT_AddIdentity: (table, { name = '', def }) => {
    const always = def && 'Constraint' in def && def.Constraint.generated_when === 'a';
    return { kind: 'add-identity', table, column: name, always: always === true };
  },
  AT_SetIdentity: readSetIdentity,
  AT_DropIdentity: onColumn('drop-identity'),
  AT_ColumnDefault: (table, { name = '', def }) =>
    def === undefined ? { kind: 'drop-default', table, column: name } : { kind: 'set-default', table, column: name, default: def },
  AT_AlterColumnType: readAlterType,
  AT_AddConstraint: (table, { def }) => {
    const constraint = def && 'Constraint' in def ? readConstraint(def.Constraint) : undefined;
    return constraint ? { kind: 'add-constraint', table, constraint } : { kind: 'alter-table', table, subtype: 'AT_AddConstraint' };
  },
  AT_ValidateConstraint: (table, { name = '' }) => ({ kind: 'validate-constraint', table, name }),
  AT_DropConstraint: (table, { name = '', behavior }) => ({
    kind: 'drop-constraint',
    table,
    name,
    cascade: behavior === 'DROP_CASCADE',
  }),
  AT_AlterConstraint: readAlterConstraint,
  AT_AttachPartition: (table, { def }) => {
    const { name, bound = {} } = partitionCmd(def);
    return {
      kind: 'attach-partition',
      table,
      partition: relationName(name ?? {}),
      isDefault: bound.is_default === true,
      bound: { PartitionBoundSpec: bound },
    };
  },
  AT_DetachPartition: (table, { def }) => {
    const { name, concurrent = false } = partitionCmd(def);
    return { kind: 'detach-partition', table, partition: relationName(name ?? {}), concurrently: concurrent };
  },
  AT_SetLogged: rewrite('set-logged'),
  AT_SetUnLogged: rewrite('set-unlogged'),
  AT_SetAccessMethod: rewrite('set-access-method'),
  AT_SetTableSpace: rewrite('set-tablespace'),
  AT_EnableRowSecurity: rowSecurity('enable'),
  AT_DisableRowSecurity: rowSecurity('disable'),
  AT_ForceRowSecurity: rowSecurity('force'),
  AT_NoForceRowSecurity: rowSecurity('no-force'),
};

function readCommand(table: Name, command: AlterTableCmd): Action {
  const { subtype = '' } = command;
  return readers[subtype]?.(table, command) ?? { kind: 'alter-table', table, subtype };
}

// The parser keeps USING as the column's raw default, with a COLLATE of the type around nothing of it.
function readAlterType(table: Name, { name = '', def }: AlterTableCmd): Action {
  const { typeName = {}, raw_default, collClause } = columnDef(def);
  const collation = stringsOf(collClause?.collname).at(-1);
  return {
    kind: 'alter-type',
    table,
    column: name,
    type: typeName,
    ...(raw_default !== undefined && { using: raw_default }),
    ...(collation !== undefined && { collation }),
  };
}

// alter column id set generated always, restart 10: the letter is a number here.
function readSetIdentity(table: Name, { name = '', def }: AlterTableCmd): Action {
  const options = def && 'List' in def ? (def.List.items ?? []) : [];
  const generated = options.find((each) => 'DefElem' in each && each.DefElem.defname === 'generated');
  if (!generated || !('DefElem' in generated)) return { kind: 'alter-table', table, subtype: 'AT_SetIdentity' };
  const { arg } = generated.DefElem;
  const always = arg && 'Integer' in arg && arg.Integer.ival === 'a'.charCodeAt(0);
  return { kind: 'add-identity', table, column: name, always: always === true };
}

function readAlterConstraint(table: Name, { def }: AlterTableCmd): Action {
  const found = def as { ATAlterConstraint?: { conname?: string; alterEnforceability?: boolean; is_enforced?: boolean } } | undefined;
  const { conname = '', alterEnforceability, is_enforced = false } = found?.ATAlterConstraint ?? {};
  return { kind: 'alter-constraint', table, name: conname, ...(alterEnforceability === true && { enforced: is_enforced }) };
}

function columnDef(def: Node | undefined) {
  return def && 'ColumnDef' in def ? def.ColumnDef : {};
}

function partitionCmd(def: Node | undefined) {
  return def && 'PartitionCmd' in def ? def.PartitionCmd : {};
}
