import type { Action } from '../actions/index.js';
import { indexName, type Catalog, type Relation } from '../catalog/index.js';
import { addedForeignKeys, type AddedForeignKey } from '../foreign-key.js';
import { isOn } from '../lifetime.js';
import { defineRule, type JudgedStep } from '../rule.js';
import { indexOn } from '../safe-steps.js';
import { columnsWords, nameWords, tableWords } from '../words.js';

export const fkMissingIndex = defineRule({
  id: 'fk-missing-index',
  on: ['add-constraint', 'add-column', 'create-table'],
  spares: 'none',
  find(action, { catalog, step, smallTableRows }) {
    return addedForeignKeys(action, catalog)
      .filter((key) => !isSmall(key.table, smallTableRows) && !hasIndex(key, step, catalog))
      .map(({ table, columns, target }) => {
        const isOld = table.state === 'old' || (table.state === 'unknown' && action.kind !== 'create-table');
        return {
          table,
          message: `no index of ${nameWords(table)} begins with ${columnsWords(columns)}: each delete from ${nameWords(target)}, and each change of a key there, reads all of ${tableWords(table)} for its foreign key`,
          remedy: (write) => {
            const index = write(indexOn(table, columns, { name: indexName(table, columns), concurrently: isOld }));
            return isOld
              ? `Write \`${index};\` in a migration with transaction: false before it.`
              : `Write \`${index};\` in the same migration.`;
          },
          unless: isOld && table.state === 'unknown' ? `an index of ${nameWords(table)} begins with ${columnsWords(columns)}` : undefined,
        };
      });
  },
});

// It is read in no time; a new one may grow.
function isSmall({ state, rows }: Relation, smallTableRows: number): boolean {
  return state === 'old' && rows < smallTableRows;
}

// One that comes in the same migration is as good.
function hasIndex({ table, columns, constraints }: AddedForeignKey, step: JudgedStep, catalog: Catalog): boolean {
  const keys = constraints.filter(({ kind }) => kind === 'unique' || kind === 'primary-key').map((each) => each.columns);
  const there = table.indexes.filter(({ partial, valid }) => !partial && valid).map((each) => each.columns);
  return [...keys, ...there, ...comingTo(table, step.actions, catalog)].some((each) => beginsWith(each, columns));
}

function comingTo(table: Relation, actions: readonly Action[], catalog: Catalog): (readonly (string | null | undefined)[])[] {
  return actions.flatMap((action) => {
    if (action.kind !== 'create-index' && action.kind !== 'add-constraint') return [];
    if (!isOn(action.table, table, catalog)) return [];
    if (action.kind === 'create-index') return action.index.partial ? [] : [action.index.columns];
    return action.constraint.kind === 'unique' || action.constraint.kind === 'primary-key' ? [action.constraint.columns] : [];
  });
}

function beginsWith(index: readonly (string | null | undefined)[], columns: readonly string[]): boolean {
  return columns.every((each) => index.slice(0, columns.length).includes(each));
}
