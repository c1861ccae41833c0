import { isTableOrView, type Action, type ActionOf } from '../actions/index.js';
import { addColumn, changeColumn, dropColumn, dropNotNull } from './advance-columns.js';
import { addConstraint, changeConstraint, createIndex, dropIndex, reindex, renameIndex } from './advance-constraints.js';
import { attach, createTable, detach, move } from './advance-tables.js';
import type { Catalog } from './catalog.js';
import type { Relation } from './relation.js';

/** Brings the catalog forward by what an action changes. */
export function advance(action: Action, catalog: Catalog): void {
  (advances as Readonly<Record<string, ((action: never, catalog: Catalog) => void) | undefined>>)[action.kind]?.(action as never, catalog);
}

type Advances = { readonly [Kind in Action['kind']]?: (action: ActionOf<Kind>, catalog: Catalog) => void };

const advances: Advances = {
  'create-table': createTable,
  'create-view': ({ view }, catalog) => catalog.bear('view', view),
  'create-function': createFunction,
  'create-schema': ({ name }, catalog) => {
    if (catalog.schemaNamed(name.name) === undefined) catalog.bear('schema', name);
  },
  'create-enum': ({ type }, catalog) => catalog.bear('type', type),
  'add-column': ({ table, column }, catalog) => addColumn(catalog.relation(table), column, catalog),
  'drop-column': dropColumn,
  'set-not-null': (action, catalog) => changeColumn(action, { notNull: true }, catalog),
  'drop-not-null': dropNotNull,
  'set-default': (action, catalog) => changeColumn(action, { hasDefault: true }, catalog),
  'drop-default': (action, catalog) => changeColumn(action, { hasDefault: false }, catalog),
  'add-identity': (action, catalog) => changeColumn(action, { identity: true }, catalog),
  'drop-identity': (action, catalog) => changeColumn(action, { identity: false }, catalog),
  'alter-type': (action, catalog) => changeColumn(action, { type: catalog.typeText(action.type) }, catalog),
  'add-constraint': ({ table, constraint }, catalog) => addConstraint(catalog.relation(table), constraint, catalog),
  'validate-constraint': (action, catalog) => changeConstraint(action, { validated: true }, catalog),
  'drop-constraint': ({ table, name }, catalog) => {
    const relation = catalog.relation(table);
    catalog.change(relation, { constraints: relation.constraints.filter((each) => each.name !== name) });
  },
  'create-index': createIndex,
  'row-security': ({ table, how }, catalog) =>
    catalog.change(catalog.relation(table), { rowSecurity: how === 'enable' || how === 'force' }),
  'create-policy': ({ table }, catalog) => countPolicies(catalog.relation(table), 1, catalog),
  'attach-partition': ({ table, partition, isDefault }, catalog) =>
    attach({ relation: catalog.relation(partition), parent: catalog.relation(table), isDefault }, catalog),
  'detach-partition': ({ table, partition }, catalog) => detach(catalog.relation(partition), catalog.relation(table), catalog),
  reindex,
  drop,
  rename,
  'set-schema': ({ name, to }, catalog) => move(catalog.relation(name), { schema: to, name: name.name }, catalog),
  set,
};

function createFunction({ name, replace, refuses }: ActionOf<'create-function'>, catalog: Catalog): void {
  if (!replace || (catalog.connected && catalog.functionsNamed(name.name).length === 0)) catalog.bear('function', name);
  catalog.refuse(name, refuses);
}

function countPolicies(relation: Relation, more: 1 | -1, catalog: Catalog): void {
  catalog.change(relation, { policies: relation.policies + more });
}

function drop({ object, name, table }: ActionOf<'drop'>, catalog: Catalog): void {
  if (object === 'schema') catalog.removeSchema(name.name);
  else if (object === 'policy' && table) countPolicies(catalog.relation(table), -1, catalog);
  else if (object === 'index') dropIndex(name, catalog);
  else if (isTableOrView(object)) catalog.remove(catalog.relation(name));
}

function rename({ object, name, part = '', to }: ActionOf<'rename'>, catalog: Catalog): void {
  if (object === 'column') changeColumn({ table: name, column: part }, { name: to }, catalog);
  else if (object === 'constraint') changeConstraint({ table: name, name: part }, { name: to }, catalog);
  else if (object === 'index') renameIndex(name.name, to, catalog);
  else if (isTableOrView(object)) move(catalog.relation(name), { schema: catalog.relation(name).schema, name: to }, catalog);
}

function set({ name, values }: ActionOf<'set'>, catalog: Catalog): void {
  const { searchPath, timeZone } = catalog.ownSettings;
  if (name === 'search_path') catalog.set({ searchPath: values.length > 0 ? values : searchPath });
  else if (name === 'timezone') catalog.set({ timeZone: values[0] ?? timeZone });
  else if (name === 'all') catalog.set({ searchPath, timeZone });
}
