import { ApplyFailed } from './failure.js';

/** The value of a column, as code gives it, for JSON in which PostgreSQL reads it as pg would have sent it. */
export function asInput(value: unknown): unknown {
  if (value instanceof Date) return timeOf(value);
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString('hex')}`;
  if (Array.isArray(value)) return value.map(asInput);
  if (typeof value === 'function' || typeof value === 'symbol') throw new ApplyFailed(`apply gave a ${typeof value} as a value`);
  const { toPostgres } = (value ?? {}) as { toPostgres?: unknown }; // an interval
  return typeof toPostgres === 'function' ? (toPostgres as () => unknown).call(value) : value;
}

/** The same as text, to be compared or sent. */
export function textOf(value: unknown): string {
  return JSON.stringify(asInput(value), asJson);
}

// What JSON cannot say.
function asJson(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  return value;
}

// In local time with its offset, as pg sends a Date: a column without a time zone has the local time of its rows. (One that is no time is refused by the server.)
function timeOf(date: Date): string {
  if (Number.isNaN(date.getTime())) return String(date);
  const wall = new Date(0);
  wall.setUTCFullYear(date.getFullYear(), date.getMonth(), date.getDate());
  wall.setUTCHours(date.getHours(), date.getMinutes(), date.getSeconds(), date.getMilliseconds());
  const offset = Math.round((wall.getTime() - date.getTime()) / 1_000); // long ago it had seconds
  const [, year = '', rest = ''] = /^([+-]?\d+)(-.*)Z$/.exec(wall.toISOString()) ?? [];
  const parts = [3600, 60, 1].map((unit) => String(Math.floor(Math.abs(offset) / unit) % (unit === 3600 ? 24 : 60)).padStart(2, '0'));
  const era = Number(year) > 0 ? { year: Number(year), name: '' } : { year: 1 - Number(year), name: ' BC' };
  return `${String(era.year).padStart(4, '0')}${rest}${offset < 0 ? '-' : '+'}${parts.join(':')}${era.name}`;
}
