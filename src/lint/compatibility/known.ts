import type { Action } from '../actions/index.js';
import type { ColumnFacts, Relation } from '../catalog/index.js';
import { isOn } from '../lifetime.js';
import type { Judging } from '../rule.js';

/** `orders`, with its schema where that is not public. */
export function nameOf({ schema, name }: Pick<Relation, 'schema' | 'name'>): string {
  return schema === 'public' ? name : `${schema}.${name}`;
}

/** Whether older code cannot know a table: what is linted has made it, or the database has none of that name. */
export function isUnknownToOldCode({ state }: Relation): boolean {
  return state === 'born' || state === 'absent';
}

/** A column as older code knows it; undefined for one that nobody has told about. */
export function columnBefore({ before, columns }: Relation, name: string): ColumnFacts | undefined {
  return before?.columns.find((each) => each.name === name) ?? columns.find((each) => each.name === name);
}

/** Whether what is linted has added the column. */
export function isNewColumn({ columns }: Relation, name: string): boolean {
  return columns.some((each) => each.name === name && each.born === true);
}

/** Whether the migration does something to a relation, before or after. */
export function doesTo<Kind extends Action['kind']>(kind: Kind, relation: Relation, { step, catalog }: Judging): boolean {
  return step.actions.some(
    (each) => each.kind === kind && 'table' in each && each.table !== undefined && isOn(each.table, relation, catalog),
  );
}
