import type { Node, RangeVar } from 'libpg-query';
import type { LockMode } from '../lock-mode.js';
import { isOn } from '../statement-options.js';
import { tryParseSql } from './parser.js';

/** A relation that a statement locks: a table, or an index, whose table is locked with it. The schema is missing where it names none. */
export interface KindLock {
  readonly schema?: string;
  readonly name: string;
  readonly mode: LockMode;
}

/** See index.ts. */
export async function findKindLocks(text: string): Promise<KindLock[] | undefined> {
  const [statement] = (await tryParseSql(text)) ?? [];
  return statement && locksOf(statement.node);
}

function locksOf(node: Node): KindLock[] | undefined {
  if ('IndexStmt' in node) return locksOn(node.IndexStmt.relation, 'SHARE UPDATE EXCLUSIVE');
  if ('DropStmt' in node) return (node.DropStmt.objects ?? []).map((object) => ({ ...nameOf(object), mode: 'SHARE UPDATE EXCLUSIVE' }));
  if ('AlterTableStmt' in node) return detaching(node.AlterTableStmt.relation, node.AlterTableStmt.cmds ?? []);
  if ('ReindexStmt' in node) {
    const { relation, params = [] } = node.ReindexStmt;
    return locksOn(relation, isOn(params, 'concurrently') ? 'SHARE UPDATE EXCLUSIVE' : 'SHARE');
  }
  if ('VacuumStmt' in node) {
    const { rels = [], options = [] } = node.VacuumStmt;
    const mode = isOn(options, 'full') ? 'ACCESS EXCLUSIVE' : 'SHARE UPDATE EXCLUSIVE';
    const relations = rels.map((each) => ('VacuumRelation' in each ? each.VacuumRelation.relation : undefined));
    return relations.length === 0 ? undefined : relations.flatMap((relation) => locksOn(relation, mode) ?? []);
  }
  return undefined;
}

// The manual of ALTER TABLE: the second of its two transactions takes ACCESS EXCLUSIVE on the partition.
function detaching(parent: RangeVar | undefined, commands: readonly Node[]): KindLock[] | undefined {
  const [command] = commands.flatMap((each) => ('AlterTableCmd' in each ? [each.AlterTableCmd] : []));
  const definition = command?.def && 'PartitionCmd' in command.def ? command.def.PartitionCmd : undefined;
  if (definition?.concurrent !== true) return undefined;
  const [onParent, onPartition] = [locksOn(parent, 'SHARE UPDATE EXCLUSIVE'), locksOn(definition.name, 'ACCESS EXCLUSIVE')];
  return [...(onParent ?? []), ...(onPartition ?? [])];
}

// Of a whole schema or database: which tables that are the statement does not say.
function locksOn(relation: RangeVar | undefined, mode: LockMode): KindLock[] | undefined {
  if (relation?.relname === undefined) return undefined;
  const { schemaname: schema, relname: name } = relation;
  return [{ name, mode, ...(schema !== undefined && { schema }) }];
}

function nameOf(object: Node): Pick<KindLock, 'schema' | 'name'> {
  const items = 'List' in object ? (object.List.items ?? []) : [];
  const [name = '', schema] = items.flatMap((item) => ('String' in item ? [item.String.sval ?? ''] : [])).reverse();
  return { name, ...(schema !== undefined && { schema }) };
}
