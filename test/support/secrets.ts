import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { inject } from 'vitest';

/** A password of a test: every text of the suite can be searched for such ones. */
export function makeSecret(): string {
  return `secret-${randomBytes(8).toString('hex')}`;
}

/** Passwords in a text: of roles of the tests, and of the superuser of the shared server. */
export function secretsIn(text: string): string[] {
  const { password } = new URL(inject('serverUrl'));
  return [...new Set(text.match(new RegExp(`secret-[0-9a-f]{16}|${password}`, 'g')) ?? [])];
}

/** Reads all tables of our own as one text; fails when somebody still has one of them locked. */
export const ownTables = `
  select coalesce(string_agg(query_to_xml(format('select * from %s', c.oid::regclass), true, false, '')::text, ''), '') as text
  from (select set_config('lock_timeout', '1s', false) offset 0) as patience, pg_catalog.pg_class c
  where c.relkind = 'r' and c.relname ~ '^knex_migrations'`;

/** All that a console, a logger or a reporter can make of something that was thrown or given. */
export function printed(value: unknown): string {
  const chain: unknown[] = [value];
  while (chain.at(-1) instanceof Error && chain.length < 10) chain.push((chain.at(-1) as Error).cause);
  const texts = chain.map((each) => `${String(each)}\n${(each as Error | undefined)?.stack ?? ''}`);
  return [...texts, JSON.stringify(value), inspect(value, { depth: Infinity, showHidden: true, getters: true })].join('\n');
}
