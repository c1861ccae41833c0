import type { LintRule } from '../config/index.js';
import { identifier } from '../sql.js';
import { typeNameOf, type ActionOf, type ColumnDefinition } from './actions/index.js';
import { defineRule, type Harm, type Rule } from './rule.js';
import { columnWords } from './words.js';

interface ColumnTypeRule {
  readonly id: LintRule;
  /** Whether a type is the one to avoid. */
  readonly isFound: (column: ColumnDefinition) => boolean;
  /** Why, after the column's name: `is json, ...`. */
  readonly why: string;
  /** What to declare. */
  readonly instead: string;
}

/** A rule of style about the type of new columns. */
export function defineColumnTypeRule({ id, isFound, why, instead }: ColumnTypeRule): Rule {
  return defineRule({
    id,
    on: ['create-table', 'add-column'],
    spares: 'none',
    find(action, { catalog }): Harm[] {
      const relation = catalog.relation(action.table);
      return columnsOf(action)
        .filter(isFound)
        .map((column) => ({
          table: relation,
          message: `${columnWords(relation, column.name)} ${why}`,
          remedy: `Declare it \`${identifier(column.name)} ${instead}\`.`,
        }));
    },
  });
}

/** The columns that an action makes. */
export function columnsOf(action: ActionOf<'create-table' | 'add-column'>): readonly ColumnDefinition[] {
  return action.kind === 'create-table' ? action.columns : [action.column];
}

/** A type by its last name. */
export const isType =
  (...names: readonly string[]) =>
  ({ type }: ColumnDefinition) =>
    names.includes(typeNameOf(type)) && type.arrayBounds === undefined;
