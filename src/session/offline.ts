import { createRequire } from 'node:module';
import pg from 'pg';
import { literal } from '../sql.js';

interface Utilities {
  prepareValue(value: unknown): string | Buffer | null;
}

// pg 8.15 and later have them in the index, which is all that a bundle holds; those before have no `exports` that would hide the file.
const { prepareValue } = (pg as { utils?: Utilities }).utils ?? (createRequire(import.meta.url)('pg/lib/utils') as Utilities);

/** A client of the same place that never connects: what a connection that only records is made of. */
export function unconnected(like: Pick<pg.Client, 'host' | 'port' | 'database' | 'user'> | undefined): pg.Client {
  const { host, port, database, user } = like ?? {};
  return new pg.Client({ ...(host && { host }), ...(port && { port }), ...(database && { database }), ...(user && { user }) });
}

/** A value as a literal without a type, as pg would send it: arrays, dates, buffers, JSON. Throws for what pg cannot send. */
export function renderValue(value: unknown): string {
  const prepared = prepareValue(value);
  return literal(Buffer.isBuffer(prepared) ? `\\x${prepared.toString('hex')}` : prepared);
}
