import { redact } from '../sql.js';
import { renderReading } from './catalogs/statement.js';

/** One object of a schema as text: equal lines, equal objects, whatever the server's version or its numbering. */
export interface Line {
  readonly kind: string;
  /** The object's qualified name: `public.orders.email`, `orders_pkey on public.orders`. One of a kind has it. */
  readonly identity: string;
  /** The identity of the object that takes this one with it when it is dropped; empty when there is none. */
  readonly parent: string;
  readonly definition: string;
}

/** Everything that migrations make in a database, in an order of its own, and the version of the server that described it. */
export interface Schema {
  /** server_version_num: 180004 for 18.4. */
  readonly serverVersion: number;
  readonly lines: readonly Line[];
}

export interface SchemaOptions {
  /** Tables to leave out with all that stands on them, quoted as in SQL (`"app"."knex_migrations"`); without a schema in each schema. */
  readonly excluded?: readonly string[];
  /** The longest wait for a lock, then 55P03. Default: what the session's lock_timeout says. */
  readonly lockTimeoutMs?: number;
}

/** Sends a message of several statements; the rows of the last. */
export type Query = (text: string) => Promise<unknown[]>;

interface Answer {
  readonly version: number;
  readonly lines: string;
}

/**
 * Reads the schema of the whole database in one message, inside or outside a transaction, as any role: names and definitions, no rows.
 * Left out: system schemas, temporary objects, members of extensions, `excluded`, roles, user mappings, subscriptions, the order of columns.
 * Takes ACCESS SHARE on views with what they read and, for an instant, on each table that has a default or a policy: it waits behind
 * ACCESS EXCLUSIVE (VACUUM FULL, most ALTER TABLE). Throws what the server says; XX000 where a session drops what is being read.
 * Passwords in definitions (options of a server, a function's text) are masked.
 */
export async function readSchema(query: Query, { excluded = [], lockTimeoutMs }: SchemaOptions = {}): Promise<Schema> {
  const [answer] = (await query(renderReading({ excluded, lockTimeoutMs }))) as [Answer];
  const lines = (JSON.parse(answer.lines) as [string, string, string, string][]).map(lineOf);
  return { serverVersion: answer.version, lines: lines.sort(byName) };
}

function lineOf([kind, identity, parent, definition]: [string, string, string, string]): Line {
  return { kind, identity, parent, definition: canonise(mask(definition)) };
}

// By code unit, which no locale changes.
function byName(a: Line, b: Line): number {
  if (a.kind !== b.kind) return a.kind < b.kind ? -1 : 1;
  return a.identity < b.identity ? -1 : a.identity > b.identity ? 1 : 0;
}

// redact() looks through a text five times; thousands of definitions hold nothing of the kind.
function mask(definition: string): string {
  return /password|pwd|:\/\//i.test(definition) ? redact(definition) : definition;
}

const element = String.raw`(?:'(?:[^']|'')*'|NULL)::[\w ."()]+?`;
const castArray = new RegExp(String.raw`\(ARRAY\[(${element}(?:, ${element})*)\]\)::([\w ."()]+?)\[\]`, 'g');
const castElement = new RegExp(String.raw`(${element})(?:, |$)`, 'g');

// `status in ('a', 'b')` on a varchar is written as (ARRAY['a'::character varying, ...])::text[]; read back from a dump it becomes
// ARRAY[('a'::character varying)::text, ...]. Both mean the same: the second it is.
function canonise(definition: string): string {
  if (!definition.includes('])::')) return definition;
  return definition.replace(castArray, (_, elements: string, type: string) => {
    const casts = [...elements.matchAll(castElement)].map(([, item]) => `(${item})::${type}`);
    return `ARRAY[${casts.join(', ')}]`;
  });
}
