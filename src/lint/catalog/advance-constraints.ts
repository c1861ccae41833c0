import type { ActionOf, Constraint, Name } from '../actions/index.js';
import type { Catalog } from './catalog.js';
import type { ConstraintFacts, IndexFacts } from './facts.js';
import { constraintLetters, constraintName, emptyIndex, indexName, type Relation } from './relation.js';

export function addConstraint(relation: Relation, constraint: Constraint, catalog: Catalog): void {
  const { kind, columns, validated, references, usingIndex, expression } = constraint;
  const name = constraint.name ?? constraintName(relation, constraint);
  const index = usingIndex ?? (kind === 'unique' || kind === 'primary-key' || kind === 'exclusion' ? name : null);
  const added: ConstraintFacts = {
    name,
    kind: constraintLetters[kind],
    validated,
    columns,
    definition: '',
    references: references ? catalog.relation(references.table) : null,
    referencedColumns: references?.columns ?? [],
    index,
    expression,
  };
  catalog.change(relation, { constraints: [...relation.constraints, added] });
  requireColumns(relation, constraint, catalog);
  if (usingIndex !== undefined) return renameIndexOf(relation, { from: usingIndex, to: name }, catalog); // as the server does
  if (index !== null) addIndex(relation, { ...emptyIndex(relation, name), unique: kind !== 'exclusion', columns }, catalog);
}

function requireColumns(relation: Relation, { kind, columns, validated, usingIndex }: Constraint, catalog: Catalog): void {
  if (kind !== 'primary-key' && !(kind === 'not-null' && validated)) return;
  const covered = usingIndex === undefined ? columns : (relation.indexes.find(({ name }) => name === usingIndex)?.columns ?? []);
  catalog.change(relation, {
    columns: relation.columns.map((each) => (covered.includes(each.name) ? { ...each, notNull: true } : each)),
  });
}

export function changeConstraint(
  { table, name }: { readonly table: Name; readonly name: string },
  changes: Partial<ConstraintFacts>,
  catalog: Catalog,
): void {
  const relation = catalog.relation(table);
  catalog.change(relation, { constraints: relation.constraints.map((each) => (each.name === name ? { ...each, ...changes } : each)) });
}

export function createIndex({ table, index }: ActionOf<'create-index'>, catalog: Catalog): void {
  const { unique, partial, plain, method } = index;
  const relation = catalog.relation(table);
  const name = index.name ?? indexName(relation, index.columns);
  if (relation.indexes.some((each) => each.name === name)) return;
  const columns = index.columns.map((column) => column ?? null);
  addIndex(relation, { ...emptyIndex(relation, name), unique, columns, partial, plain, method }, catalog);
}

export function dropIndex(name: Name, catalog: Catalog): void {
  for (const table of catalog.tablesWithIndex(name.name))
    catalog.change(table, { indexes: table.indexes.filter((each) => each.name !== name.name) });
  catalog.remove(catalog.relation(name));
}

export function renameIndex(name: string, to: string, catalog: Catalog): void {
  for (const table of catalog.tablesWithIndex(name)) renameIndexOf(table, { from: name, to }, catalog);
}

/** An index that was invalid is valid. */
export function reindex({ object, name }: ActionOf<'reindex'>, catalog: Catalog): void {
  const table = object === 'index' ? catalog.tableOfIndex(name) : catalog.relation(name);
  if (table) changeIndexes({ table, of: (each) => object === 'table' || each.name === name.name, changes: { valid: true } }, catalog);
}

function addIndex(relation: Relation, index: IndexFacts, catalog: Catalog): void {
  catalog.change(relation, { indexes: [...relation.indexes, index] });
}

function renameIndexOf(table: Relation, { from, to }: { readonly from: string; readonly to: string }, catalog: Catalog): void {
  changeIndexes({ table, of: ({ name }) => name === from, changes: { name: to } }, catalog);
}

interface IndexChange {
  readonly table: Relation;
  readonly of: (index: IndexFacts) => boolean;
  readonly changes: Partial<IndexFacts>;
}

function changeIndexes({ table, of, changes }: IndexChange, catalog: Catalog): void {
  catalog.change(table, { indexes: table.indexes.map((each) => (of(each) ? { ...each, ...changes } : each)) });
}
