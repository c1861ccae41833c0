import type { LockMode } from '../../lock-mode.js';
import type { ActionOf, ColumnDefinition, Constraint } from '../actions/index.js';
import type { Catalog, Relation } from '../catalog/index.js';
import { isKnownNotNull } from './implied.js';
import type { Proof } from './partition-bound.js';
import { scanUnless, type TableEffect } from './work.js';

const mode = 'ACCESS EXCLUSIVE' satisfies LockMode;

interface Declared {
  readonly constraint: Constraint;
  readonly relation: Relation;
  /** The new column that it stands beside. */
  readonly column?: ColumnDefinition;
}

/** What a constraint does to the table that gets it, and a foreign key to the one that it references. */
export function constraintEffects(declared: Declared, catalog: Catalog): TableEffect[] {
  const { constraint, relation } = declared;
  const { kind, validated, columns, usingIndex } = constraint;
  if (kind === 'foreign-key') return foreignKeyEffects(declared, catalog);
  if (kind === 'check') return [{ relation, mode, work: validated ? 'scan' : undefined }];
  if (kind === 'not-null') return [{ relation, mode, ...(validated && scanUnless(provenNotNull(columns, relation), relation)) }];
  if (usingIndex === undefined) return [{ relation, mode, work: 'index' }];
  const covered = relation.indexes.find(({ name }) => name === usingIndex)?.columns;
  return [{ relation, mode, ...scanUnless(kind === 'primary-key' ? provenNotNull(covered, relation) : 'proven', relation) }];
}

/** Whether columns are known to have no null: those of an index that is not known are not, and no expression is. */
export function provenNotNull(columns: readonly (string | null)[] | undefined, relation: Relation): Proof {
  return columns?.every((each) => each !== null && isKnownNotNull(relation, each)) ? 'proven' : 'unproven';
}

function foreignKeyEffects({ constraint: { validated, references }, relation, column }: Declared, catalog: Catalog): TableEffect[] {
  // A column that is added without a default is null in every row: there is nothing to look up.
  const isEmpty = column !== undefined && column.default === undefined;
  const target = references ? [catalog.relation(references.table)] : [];
  const work = validated && !isEmpty ? 'scan' : undefined;
  return [relation, ...target].map((each) => ({ relation: each, mode: 'SHARE ROW EXCLUSIVE', work }));
}

/** VALIDATE CONSTRAINT: nothing where it is valid already. */
export function validate({ table, name }: ActionOf<'validate-constraint'>, catalog: Catalog): TableEffect[] {
  const relation = catalog.relation(table);
  const constraint = relation.constraints.find((each) => each.name === name);
  if (constraint?.validated) return [{ relation, mode: 'SHARE UPDATE EXCLUSIVE' }];
  const target = constraint?.references && catalog.relation(constraint.references);
  return [
    { relation, mode: 'SHARE UPDATE EXCLUSIVE', work: 'scan' },
    ...(target ? [{ relation: target, mode: 'ROW SHARE' as const }] : []),
  ];
}
