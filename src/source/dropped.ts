import type { AlterTableStmt, DropStmt, Node, RangeVar } from 'libpg-query';
import { tryParseSql } from './parser.js';

/** Something with rows in it that a statement destroys. Names are as the statement writes them; the schema is missing where it names none. */
export interface Dropped {
  readonly kind: 'table' | 'column' | 'schema' | 'rows';
  readonly schema?: string;
  /** The table; of a schema nothing. */
  readonly table?: string;
  readonly column?: string;
}

/** See index.ts. */
export async function findDropped(text: string): Promise<Dropped[]> {
  const statements = (await tryParseSql(text)) ?? [];
  return statements.flatMap(({ node }) => droppedBy(node));
}

function droppedBy(node: Node): Dropped[] {
  if ('DropStmt' in node) return droppedObjects(node.DropStmt);
  if ('AlterTableStmt' in node) return droppedColumns(node.AlterTableStmt);
  if ('TruncateStmt' in node)
    return (node.TruncateStmt.relations ?? []).flatMap((each) => ('RangeVar' in each ? [rowsOf(each.RangeVar)] : []));
  if ('DeleteStmt' in node && node.DeleteStmt.relation) return [rowsOf(node.DeleteStmt.relation)];
  return [];
}

const droppedKinds: Readonly<Record<string, Dropped['kind']>> = {
  OBJECT_TABLE: 'table',
  OBJECT_FOREIGN_TABLE: 'table',
  OBJECT_SCHEMA: 'schema',
};

function droppedObjects({ removeType, objects = [] }: DropStmt): Dropped[] {
  const kind = droppedKinds[removeType ?? ''];
  if (kind === undefined) return [];
  return objects.map((object) => {
    const [name = '', schema] = partsOf(object).reverse();
    return kind === 'schema' ? { kind, schema: name } : { kind, table: name, ...(schema !== undefined && { schema }) };
  });
}

function droppedColumns({ relation, cmds = [] }: AlterTableStmt): Dropped[] {
  return cmds.flatMap((each) => {
    const { subtype, name } = 'AlterTableCmd' in each ? each.AlterTableCmd : {};
    return subtype === 'AT_DropColumn' && name !== undefined && relation
      ? [{ kind: 'column' as const, column: name, ...placeOf(relation) }]
      : [];
  });
}

function rowsOf(relation: RangeVar): Dropped {
  return { kind: 'rows', ...placeOf(relation) };
}

function placeOf({ schemaname: schema, relname: table = '' }: RangeVar): Pick<Dropped, 'schema' | 'table'> {
  return { table, ...(schema !== undefined && { schema }) };
}

function partsOf(object: Node): string[] {
  const items = 'List' in object ? (object.List.items ?? []) : [object];
  return items.flatMap((item) => ('String' in item && item.String.sval !== undefined ? [item.String.sval] : []));
}
