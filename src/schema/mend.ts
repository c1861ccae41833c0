import type { Change } from './diff.js';

/**
 * The statements that would bring an object of a live database back to what it was, on one line each; undefined where its lines do not say enough.
 * Pure. They are for a person to read: to drop a column takes what is in it along.
 */
export function mendOf({ action, kind, identity, stored, live }: Change): string | undefined {
  const part = parts[kind];
  if (part === undefined) return undefined;
  if (action === 'added') return part.drop(identity);
  if (action === 'dropped') return stored === undefined ? undefined : part.create(identity, stored);
  if (stored === undefined || live === undefined) return undefined;
  if (part.change) return part.change(identity, { stored, live });
  const create = part.create(identity, stored);
  return create === undefined ? undefined : `${part.drop(identity)}\n${create}`;
}

interface Part {
  readonly create: (identity: string, definition: string) => string | undefined;
  readonly drop: (identity: string) => string;
  readonly change?: (identity: string, definitions: { readonly stored: string; readonly live: string }) => string | undefined;
}

const parts: Readonly<Record<string, Part>> = {
  table: { create: () => undefined, drop: (identity) => `drop table ${identity};`, change: () => undefined },
  view: { create: () => undefined, drop: (identity) => `drop view ${identity};`, change: () => undefined },
  sequence: { create: () => undefined, drop: (identity) => `drop sequence ${identity};`, change: () => undefined },
  column: {
    create: (identity, definition) =>
      apart.test(definition) ? undefined : atColumn(identity, (column) => `add column ${column} ${definition}`),
    drop: (identity) => atColumn(identity, (column) => `drop column ${column}`),
    change: changeColumn,
  },
  constraint: {
    create: (identity, definition) => at(identity, (name) => `add constraint ${name} ${definition.replace(/ by CREATE .*$/s, '')}`),
    drop: (identity) => at(identity, (name) => `drop constraint ${name}`),
  },
  index: {
    create: (_, definition) =>
      / (?:invalid|clustered|replica identity|tablespace \S+|statistics \S+)$/.test(definition) ? undefined : `${definition};`,
    drop: (identity) => {
      const { name, table } = placeOf(identity);
      return `drop index ${schemaOf(table)}.${name};`;
    },
  },
  trigger: {
    create: (_, definition) => (/ (?:disabled|enabled replica|enabled always)$/.test(definition) ? undefined : `${definition};`),
    drop: (identity) => `drop trigger ${placeOf(identity).name} on ${placeOf(identity).table};`,
  },
};

// What the server takes only in statements of its own.
const apart = / (?:storage|compression|statistics|not valid|no inherit|with \(|options \()/;

// `orders_pkey on public.orders`
function placeOf(identity: string): { readonly name: string; readonly table: string } {
  const [, name = '', table = ''] = /^("(?:[^"]|"")+"|\S+) on (.+)$/.exec(identity) ?? [];
  return { name, table };
}

function at(identity: string, clause: (name: string) => string): string {
  const { name, table } = placeOf(identity);
  return `alter table ${table} ${clause(name)};`;
}

const lastName = /^(.+)\.("(?:[^"]|"")+"|[^."]+)$/;

function schemaOf(table: string): string {
  return lastName.exec(table)?.[1] ?? '';
}

function atColumn(identity: string, clause: (column: string) => string): string {
  const [, table, column = ''] = lastName.exec(identity) ?? [];
  return `alter table ${table} ${clause(column)};`;
}

const plainColumn =
  /^((?:(?! generated | collate | storage | compression | statistics | with \(| options \().)*?)( not null)?(?: default (.+))?$/s;

function changeColumn(identity: string, { stored, live }: { readonly stored: string; readonly live: string }): string | undefined {
  const [was, is] = [plainColumn.exec(stored), plainColumn.exec(live)];
  if (!was || !is) return undefined;
  const clauses = [
    was[1] === is[1] ? [] : [(column: string) => `type ${was[1]} using ${column}::${was[1]}`],
    was[2] === is[2] ? [] : [() => `${was[2] ? 'set' : 'drop'} not null`],
    was[3] === is[3] ? [] : [() => (was[3] === undefined ? 'drop default' : `set default ${was[3]}`)],
  ].flat();
  return atColumn(identity, (column) => clauses.map((clause) => `alter column ${column} ${clause(column)}`).join(', '));
}
