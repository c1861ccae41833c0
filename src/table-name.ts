import { isObject, record, refuse, shown, within, type Reader } from './config/index.js';
import { qualified } from './sql.js';

/** A table as it is written: it is quoted, so that upper case and dots mean themselves. Without a schema search_path decides. */
export type TableName = string | { readonly schema?: string; readonly table: string };

const mostBytes = 63;

/** The server cuts a longer name off, and then nobody finds the object again. */
export const name: Reader<string> = (value, place) => {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) return refuse(place, 'a name', shown(value));
  const bytes = Buffer.byteLength(value);
  return bytes <= mostBytes ? value : refuse(place, `a name of at most ${mostBytes} bytes`, `${bytes} bytes: ${shown(value)}`);
};

export const names: Reader<readonly string[]> = listOf(name, 'a list of names, at least one');

export const tableName: Reader<TableName> = (value, place) => {
  if (!isObject(value)) return name(value, place);
  const read = record<{ schema?: string; table: string }>({ schema: name, table: name })(value, place);
  if (value['table'] === undefined) return refuse(within(place, 'table'), 'a name', 'undefined');
  return read as TableName | undefined;
};

/** A reader of a list that is not empty, each item by the same reader. */
export function listOf<Item>(read: Reader<Item>, expected: string): Reader<readonly Item[]> {
  return (value, place) => {
    if (!Array.isArray(value) || value.length === 0) return refuse(place, expected, Array.isArray(value) ? 'an empty list' : shown(value));
    return value.flatMap((item, index) => read(item, within(place, String(index))) ?? []);
  };
}

/** The name in SQL, as the migration wrote it. */
export function sqlOf(table: TableName): string {
  return typeof table === 'string' ? qualified(undefined, table) : qualified(table.schema, table.table);
}
