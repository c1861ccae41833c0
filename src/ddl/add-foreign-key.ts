import type { Knex } from 'knex';
import { isObject, oneOf, record, refuse, within, type Reader } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { identifier } from '../sql.js';
import { addConstraint, readConstraint, refuseValidateInTransaction, type FoundConstraint, type Validate } from './constraint.js';
import { invalid, name, names, readOptions, sqlOf, tableName, type Form, type TableName } from './options.js';
import { readTable, readVersion } from './table.js';

const actions = { 'no action': 'a', restrict: 'r', cascade: 'c', 'set null': 'n', 'set default': 'd' } as const;
/** What happens to a row whose parent goes or changes. */
export type ReferentialAction = keyof typeof actions;

/** The foreign key, and when it is held against the rows that are there. */
export interface AddForeignKeyOptions {
  readonly table: TableName;
  /** Of the constraint. */
  readonly name: string;
  readonly columns: readonly string[];
  readonly references: { readonly table: TableName; readonly columns: readonly string[] };
  /** Default: `no action`. */
  readonly onDelete?: ReferentialAction;
  readonly onUpdate?: ReferentialAction;
  /** Default: it is not. */
  readonly deferrable?: 'initially immediate' | 'initially deferred';
  /** Default: `now`. */
  readonly validate?: Validate;
}

type References = AddForeignKeyOptions['references'];

const references: Reader<References> = (value, place) => {
  const read = record<References>({ table: tableName, columns: names })(value, place);
  const missing = isObject(value) ? ['table', 'columns'].filter((key) => value[key] === undefined) : [];
  for (const key of missing) refuse(within(place, key), key === 'table' ? 'a table' : 'a list of names, at least one', 'undefined');
  return read as References | undefined;
};

const what = 'addForeignKey';
const action = oneOf('no action', 'restrict', 'cascade', 'set null', 'set default');
const form: Form<AddForeignKeyOptions> = {
  readers: {
    table: tableName,
    name,
    columns: names,
    references,
    onDelete: action,
    onUpdate: action,
    deferrable: oneOf('initially immediate', 'initially deferred'),
    validate: oneOf('now', 'later'),
  },
  needed: ['table', 'name', 'columns', 'references'],
};

/** See index.ts. */
export async function addForeignKey(knex: Knex, options: AddForeignKeyOptions): Promise<void> {
  const key = readOptions(what, options, form);
  const { table, name: constraint, validate = 'now' } = key;
  if (key.columns.length !== key.references.columns.length) throw invalid(what, ['references.columns: expected as many as columns']);
  refuseValidateInTransaction(knex, what, validate);
  await refusePartitioned(knex, key);
  const target = await readTable(knex, key.references.table);
  const isSame = (found: FoundConstraint) => isSameKey(key, found, target?.oid);
  await addConstraint(knex, { what, table, name: constraint, definition: render(key), validate, isSame });
}

function render({ columns, references: { table, columns: targets }, onDelete, onUpdate, deferrable }: AddForeignKeyOptions): string {
  const list = (each: readonly string[]) => `(${each.map(identifier).join(', ')})`;
  const rules = [
    ...(onUpdate === undefined ? [] : [`on update ${onUpdate}`]),
    ...(onDelete === undefined ? [] : [`on delete ${onDelete}`]),
    ...(deferrable === undefined ? [] : [`deferrable ${deferrable}`]),
  ];
  return [`foreign key ${list(columns)} references ${sqlOf(table)} ${list(targets)}`, ...rules].join(' ');
}

function isSameKey(key: AddForeignKeyOptions, found: FoundConstraint, target: string | undefined): boolean {
  const { columns, references: to, onDelete = 'no action', onUpdate = 'no action', deferrable } = key;
  const same = (some: readonly string[], others: readonly string[]) => some.join('\0') === others.join('\0');
  return (
    found.type === 'f' &&
    found.target === target &&
    same(found.columns, columns) &&
    same(found.targets, to.columns) &&
    found.actions === `${actions[onUpdate]}${actions[onDelete]}s` &&
    found.deferrable === (deferrable !== undefined) &&
    found.deferred === (deferrable === 'initially deferred')
  );
}

// 0A000 before PostgreSQL 18: a foreign key of a partitioned table cannot be NOT VALID.
async function refusePartitioned(knex: Knex, { table, name: constraint }: AddForeignKeyOptions): Promise<void> {
  if (!(await readTable(knex, table))?.partitioned || (await readVersion(knex)) >= 180_000) return;
  if (await readConstraint(knex, table, constraint)) return;
  throw new MigrationError(
    'EM_DDL_REFUSED',
    `${what}: before PostgreSQL 18 a partitioned table takes no foreign key that is not valid yet`,
    {
      remedy: `Call it for each partition of ${sqlOf(table)}; then add the same key to the table by a plain statement, which finds those and reads no rows. Nothing was changed.`,
    },
  );
}
