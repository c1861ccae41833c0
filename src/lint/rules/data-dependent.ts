import type { Node } from 'libpg-query';
import { identifier } from '../../sql.js';
import type { ActionOf, Constraint } from '../actions/index.js';
import type { Catalog, Relation } from '../catalog/index.js';
import { isKnownNotNull } from '../effects/index.js';
import { keyColumns, type ForeignKey } from '../foreign-key.js';
import { defineRule, type Judging, type Write } from '../rule.js';
import { nameWords, tableWords } from '../words.js';

export const dataDependent = defineRule({
  id: 'data-dependent',
  on: ['add-constraint', 'validate-constraint', 'set-not-null', 'create-index'],
  spares: 'born',
  find(action, at) {
    const table = at.catalog.relation(action.table);
    if (table.state === 'old' && table.rows === 0) return undefined;
    return doubtsOf(action, table, at).map(({ what, query }) => ({
      table,
      message: `${what} fails if the rows of ${tableWords(table)} do not fit`,
      remedy: (write) => `See that this finds nothing before it is released: \`${query(write)};\``,
    }));
  },
});

interface Doubt {
  readonly what: string;
  /** Finds the rows that do not fit. */
  readonly query: (write: Write) => string;
}

function doubtsOf(
  action: ActionOf<'add-constraint' | 'validate-constraint' | 'set-not-null' | 'create-index'>,
  table: Relation,
  at: Judging,
): Doubt[] {
  if (action.kind === 'set-not-null') return notNullDoubts('set not null', [action.column], table);
  if (action.kind === 'create-index') return indexDoubts(action, table, at);
  if (action.kind === 'add-constraint') return action.constraint.validated ? constraintDoubts(action.constraint, table, at.catalog) : [];
  const found = table.constraints.find(({ name }) => name === action.name);
  if (found === undefined || found.validated) return [];
  const what = `validate constraint ${action.name}`;
  if (found.references) {
    const { columns, references, referencedColumns = [] } = found;
    return foreignKeyDoubts({ what, table, columns, target: at.catalog.relation(references), keys: referencedColumns });
  }
  return found.expression === undefined ? notNullDoubts(what, found.columns, table) : [checkDoubt(what, found.expression, table)];
}

function constraintDoubts(constraint: Constraint, table: Relation, catalog: Catalog): Doubt[] {
  const { kind, columns, expression, usingIndex, references } = constraint;
  if (kind === 'check' && expression) return [checkDoubt('add check', expression, table)];
  if (kind === 'not-null') return notNullDoubts('add not null', columns, table);
  if (references !== undefined)
    return foreignKeyDoubts({
      what: 'add foreign key',
      table,
      columns,
      target: catalog.relation(references.table),
      keys: references.columns,
    });
  if (usingIndex !== undefined || (kind !== 'unique' && kind !== 'primary-key')) return [];
  const nulls = kind === 'primary-key' ? notNullDoubts('add primary key', columns, table) : [];
  return [{ what: kind === 'unique' ? 'add unique' : 'add primary key', query: () => doubles(table, columns, '') }, ...nulls];
}

function checkDoubt(what: string, expression: Node, table: Relation): Doubt {
  return { what, query: (write) => `select * from ${nameWords(table)} where not (${write(expression)}) limit 10` };
}

function notNullDoubts(what: string, columns: readonly string[], table: Relation): Doubt[] {
  return columns
    .filter((each) => !isKnownNotNull(table, each))
    .map((each) => ({ what, query: () => `select * from ${nameWords(table)} where ${identifier(each)} is null limit 10` }));
}

function indexDoubts({ index }: ActionOf<'create-index'>, table: Relation, { statement: { node } }: Judging): Doubt[] {
  const columns = index.columns.filter((each) => each !== undefined);
  if (!index.unique || columns.length < index.columns.length) return []; // of an expression: the reader knows how to ask
  const where = node && 'IndexStmt' in node ? node.IndexStmt.whereClause : undefined;
  if (index.partial && where === undefined) return [];
  return [{ what: 'create unique index', query: (write) => doubles(table, columns, where ? ` and ${write(where)}` : '') }];
}

// Nulls are no doubles of each other.
function doubles(table: Relation, columns: readonly string[], where: string): string {
  const list = columns.map((each) => identifier(each)).join(', ');
  const filled = columns.map((each) => `${identifier(each)} is not null`).join(' and ');
  return `select ${list}, count(*) from ${nameWords(table)} where ${filled}${where} group by ${list} having count(*) > 1 limit 10`;
}

function foreignKeyDoubts({ what, table, columns, target, keys: written }: ForeignKey & { readonly what: string }): Doubt[] {
  const keys = keyColumns(written, target);
  if (keys.length !== columns.length) return [];
  const filled = columns.map((each) => `f.${identifier(each)} is not null`).join(' and ');
  const same = columns.map((each, index) => `k.${identifier(keys[index] ?? '')} = f.${identifier(each)}`).join(' and ');
  const query = `select * from ${nameWords(table)} f where ${filled} and not exists (select from ${nameWords(target)} k where ${same}) limit 10`;
  return [{ what, query: () => query }];
}
