import { identifier } from '../sql.js';
import { isTableOrView, type Action, type Name } from './actions/index.js';
import type { Catalog, QualifiedName, Relation } from './catalog/index.js';
import { nameWords } from './words.js';

/** What CASCADE takes with it beside what the statement names. */
export interface Dependent {
  /** For people: `the view "open_orders"`. */
  readonly words: string;
  /** The statement that takes it away by name. */
  readonly sql?: string;
}

/** What the database knows to depend on what an action drops or empties; undefined where nobody can tell. Only direct dependents. */
export function dependentsOf(action: Action, catalog: Catalog): Dependent[] | undefined {
  if (!catalog.connected) return undefined;
  if (action.kind === 'drop') return dependentsOfObject(action, catalog);
  if (!('table' in action) || !action.table) return undefined;
  const relation = catalog.relation(action.table);
  if (action.kind === 'truncate') return relation.referencedBy.map((each) => ({ words: `the rows of ${nameWords(each)}` }));
  if (action.kind === 'drop-column') return [...keysTo(relation, catalog, action.column), ...readersOf(relation, catalog)];
  if (action.kind !== 'drop-constraint') return undefined;
  const { columns = [] } = relation.constraints.find(({ name }) => name === action.name) ?? {};
  return columns.flatMap((each) => keysTo(relation, catalog, each)).slice(0, 1);
}

function dependentsOfObject({ object, name }: Extract<Action, { kind: 'drop' }>, catalog: Catalog): Dependent[] | undefined {
  if (object === 'type' || object === 'domain') return usersOf(name, catalog);
  if (!isTableOrView(object)) return undefined;
  const relation = catalog.relation(name);
  return [...keysTo(relation, catalog), ...readersOf(relation, catalog)];
}

function usersOf(name: Name, catalog: Catalog): Dependent[] | undefined {
  const type = catalog.typeOf(name);
  return type?.usedBy.map((each) => ({ words: `columns of ${nameWords(each)}` }));
}

function readersOf({ readers }: Relation, catalog: Catalog): Dependent[] {
  return readers.map((each) => {
    const kind = catalog.relation(each).kind === 'm' ? 'materialized view' : 'view';
    return { words: `the view ${nameWords(each)}`, sql: `drop ${kind} ${nameWords(each)};` };
  });
}

// A foreign key points at a column that is unique.
function keysTo(relation: Relation, catalog: Catalog, column?: string): Dependent[] {
  const isTarget =
    column === undefined || relation.constraints.some(({ kind, columns }) => 'pu'.includes(kind) && columns.includes(column));
  return isTarget ? relation.referencedBy.map((each) => keyTo(relation, catalog.relation(each))) : [];
}

function keyTo(target: QualifiedName, table: Relation): Dependent {
  const keys = table.constraints.filter(({ references }) => references?.name === target.name && references.schema === target.schema);
  const drops = keys.map(({ name }) => `drop constraint ${identifier(name)}`).join(', ');
  return { words: `the foreign key of ${nameWords(table)}`, sql: `alter table ${nameWords(table)} ${drops};` };
}
