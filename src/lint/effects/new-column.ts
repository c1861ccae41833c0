import type { ActionOf, ColumnDefinition } from '../actions/index.js';
import { writeTypeName, type Catalog } from '../catalog/index.js';
import { constraintEffects } from './constraint-effects.js';
import { volatilityOf } from './volatility.js';
import { heaviest, type PossibleWork, type TableEffect } from './work.js';

/** A new column with what is declared beside it: the table is gone through once, for the heaviest of it. */
export function addColumn({ table, column, ifNotExists }: ActionOf<'add-column'>, catalog: Catalog): TableEffect[] {
  const relation = catalog.relation(table);
  if (ifNotExists && relation.columns.some(({ name }) => name === column.name)) return [{ relation, mode: 'ACCESS EXCLUSIVE' }];
  const declared = column.constraints.flatMap((constraint) => constraintEffects({ constraint, relation, column }, catalog));
  const others = declared.filter((each) => each.relation !== relation);
  return [{ relation, mode: 'ACCESS EXCLUSIVE', ...heaviest([newColumnWork(column, catalog), ...declared]) }, ...others];
}

function newColumnWork(column: ColumnDefinition, catalog: Catalog): PossibleWork {
  if (column.serial || column.identity || column.generated === 'stored') return { work: 'rewrite' };
  const domain = catalog.type(writeTypeName(column.type));
  if (domain?.isConstrained) return { work: 'rewrite' }; // each value is held against the domain
  if (column.default !== undefined) {
    const volatility = volatilityOf(column.default, catalog);
    if (volatility !== 'fixed') return { work: 'rewrite', doubtful: volatility === 'unknown' ? true : undefined };
    return {};
  }
  if (domain?.hasVolatileDefault) return { work: 'rewrite' };
  return column.notNull ? { work: 'scan' } : {}; // of a virtual one each value is computed
}
