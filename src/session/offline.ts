import { createRequire } from 'node:module';
import pg from 'pg';
import { literal } from '../sql.js';

// By this name it is found in every pg 8: the index exports it in the newer ones only, and `exports` has changed twice.
const { prepareValue } = createRequire(import.meta.url)('pg/lib/utils') as { prepareValue(value: unknown): string | Buffer | null };

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
