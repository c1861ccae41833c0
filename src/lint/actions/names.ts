import type { FuncCall, Node, RangeVar } from 'libpg-query';
import type { Name, ObjectKind } from './action.js';

/** What a statement is about that names no table: VACUUM FULL alone. */
export const everyTable: Name = { name: 'every table' };

/** A name out of the parser's parts, the last of which is the object's own. */
export function nameOf(parts: readonly string[]): Name {
  const [name = '', schema] = [...parts].reverse();
  return schema === undefined ? { name } : { schema, name };
}

/** A name as it is written: `a.b`. */
export function writtenName({ schema, name }: Name): string {
  return schema === undefined ? name : `${schema}.${name}`;
}

/** Of a table, a view, an index as a statement refers to it. A temporary one lives in a schema of its own. */
export function relationName({ schemaname, relname = '', relpersistence }: RangeVar): Name {
  if (relpersistence === 't') return { schema: 'pg_temp', name: relname };
  return schemaname === undefined ? { name: relname } : { schema: schemaname, name: relname };
}

/** The table that a statement is about. */
export function tableOf(relation: RangeVar | undefined): Name {
  return relationName(relation ?? {});
}

/** Those of a list. */
export function tablesIn(relations: readonly Node[] = []): Name[] {
  return relations.flatMap((each) => ('RangeVar' in each ? [relationName(each.RangeVar)] : []));
}

/** Whether `with (name ...)`, `(name ...)` is among the options of a statement. */
export function hasOption(options: readonly Node[] = [], name: string): boolean {
  return options.some((each) => 'DefElem' in each && each.DefElem.defname === name);
}

/** The strings of a node that names something, such as `a.b`. */
export function partsOf(node: Node): string[] {
  if ('String' in node) return [node.String.sval ?? ''];
  if ('List' in node) return (node.List.items ?? []).flatMap(partsOf);
  if ('TypeName' in node) return (node.TypeName.names ?? []).flatMap(partsOf);
  if ('ObjectWithArgs' in node) return (node.ObjectWithArgs.objname ?? []).flatMap(partsOf);
  return [];
}

export function stringsOf(nodes: readonly Node[] = []): string[] {
  return nodes.flatMap(partsOf);
}

/** The tables, views and so on that are named anywhere below. */
export function relationsIn(value: unknown): Name[] {
  return bodiesIn(value, 'RangeVar').map((body) => relationName(body as RangeVar));
}

/** The functions that are called anywhere below. */
export function functionsIn(value: unknown): Name[] {
  return bodiesIn(value, 'FuncCall').map((body) => nameOf(stringsOf((body as FuncCall).funcname)));
}

/** The nodes of one kind anywhere below, also inside each other: outer ones first. */
export function bodiesIn(value: unknown, wanted: string): unknown[] {
  const found: unknown[] = [];
  const visit = (each: unknown): void => {
    if (typeof each !== 'object' || each === null) return;
    if (Array.isArray(each)) return each.forEach(visit);
    for (const [kind, body] of Object.entries(each)) {
      if (kind === wanted) found.push(body);
      visit(body);
    }
  };
  visit(value);
  return found;
}

const kinds: Readonly<Record<string, ObjectKind>> = {
  OBJECT_TABLE: 'table',
  OBJECT_FOREIGN_TABLE: 'table',
  OBJECT_VIEW: 'view',
  OBJECT_MATVIEW: 'materialized-view',
  OBJECT_INDEX: 'index',
  OBJECT_SEQUENCE: 'sequence',
  OBJECT_SCHEMA: 'schema',
  OBJECT_TYPE: 'type',
  OBJECT_DOMAIN: 'domain',
  OBJECT_FUNCTION: 'function',
  OBJECT_PROCEDURE: 'function',
  OBJECT_ROUTINE: 'function',
  OBJECT_AGGREGATE: 'function',
  OBJECT_TRIGGER: 'trigger',
  OBJECT_POLICY: 'policy',
  OBJECT_TABCONSTRAINT: 'constraint',
  OBJECT_COLUMN: 'column',
  OBJECT_ATTRIBUTE: 'attribute',
  OBJECT_EXTENSION: 'extension',
  OBJECT_ROLE: 'role',
};

export function objectKind(type: string | undefined): ObjectKind {
  return kinds[type ?? ''] ?? 'other';
}

/** What may stand in the place of one another under one name: tables, and both kinds of views. */
export function isTableOrView(object: string): object is 'table' | 'view' | 'materialized-view' {
  return object === 'table' || object === 'view' || object === 'materialized-view';
}
