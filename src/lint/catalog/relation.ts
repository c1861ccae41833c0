import type { Constraint, IndexDefinition } from '../actions/index.js';
import type { ColumnFacts, ConstraintFacts, IndexFacts, QualifiedName, RelationFacts } from './facts.js';

/** A column as the next statement will find it. */
export interface Column extends ColumnFacts {
  /** Added by what is being linted. */
  readonly born?: true;
}

/** A table, view or index as the next statement will find it. It stays the same object, whatever becomes of it; only the catalog changes it. */
export interface Relation extends Omit<RelationFacts, 'columns'> {
  /** `born`: made by what is being linted. `unknown`: there is no database to ask. `absent`: the database has none of this name. */
  readonly state: 'old' | 'born' | 'unknown' | 'absent';
  readonly columns: readonly Column[];
  /** As it was before what is linted; older code knows it so. Undefined where nobody has told. */
  readonly before?: RelationFacts;
}

/** A table of which nothing is known but its name. */
export function emptyRelation({ schema, name }: QualifiedName, state: Relation['state']): Relation {
  const lists = { columns: [], constraints: [], indexes: [], partitions: [], referencedBy: [], readers: [] };
  const flags = { valid: null, isDefaultPartition: false, rowSecurity: false, policies: 0 };
  const none = { table: null, parent: null, partitionedBy: null };
  return { schema, name, state, kind: 'r', persistence: 'p', rows: 0, bytes: 0, ...none, ...flags, ...lists };
}

/** An index of a table, over nothing yet. */
export function emptyIndex({ schema }: QualifiedName, name: string): IndexFacts {
  return { name, schema, unique: false, valid: true, columns: [], partial: false, plain: true, method: 'btree', definition: '' };
}

/** The kinds of constraints by the letters of pg_constraint.contype. */
export const constraintLetters: Readonly<Record<Constraint['kind'], ConstraintFacts['kind']>> = {
  check: 'c',
  'foreign-key': 'f',
  unique: 'u',
  'primary-key': 'p',
  exclusion: 'x',
  'not-null': 'n',
};

const suffixes = { check: 'check', 'foreign-key': 'fkey', unique: 'key', 'primary-key': 'pkey', exclusion: 'excl', 'not-null': 'not_null' };

/** As the server makes one up (ChooseConstraintName), but for its numbers. */
export function constraintName({ name }: Pick<Relation, 'name'>, { kind, columns }: Pick<Constraint, 'kind' | 'columns'>): string {
  return [name, ...(kind === 'primary-key' ? [] : columns), suffixes[kind]].join('_');
}

/** As the server makes one up (ChooseIndexName), but for its numbers. */
export function indexName({ name }: Pick<Relation, 'name'>, columns: IndexDefinition['columns']): string {
  return [name, ...columns.map((column) => column ?? 'expr'), 'idx'].join('_');
}
