import type { Line } from '../schema/index.js';
import type { Change } from './differ.js';
import { plain } from './written.js';

const name = String.raw`"(?:[^"]|"")+"`;
const altersType = new RegExp(`^ALTER TABLE (${name}\\.${name}) ALTER COLUMN (${name}) TYPE (.+) USING \\2::(.+)$`, 's');

/**
 * Marks changes of a type that may round or cut what is stored: an explicit cast does so without a word. Between types of text the cast is left out,
 * since the server's own conversion fails on a value that is too long. Pure.
 */
export function judgeConversions(changes: readonly Change[], live: readonly Line[]): Change[] {
  return changes.map((change) => {
    const [, table = '', column = '', type] = altersType.exec(change.sql) ?? [];
    const before = type === undefined ? undefined : typeOf(live, `${table}.${column}`);
    if (type === undefined || before === undefined) return change;
    const [from, to] = [before, plain(type)];
    if (isText(from) && isText(to)) return { ...change, sql: change.sql.slice(0, change.sql.lastIndexOf(' USING ')) };
    return isLossless(from, below(to, live)) ? change : { ...change, loses: true };
  });
}

function typeOf(live: readonly Line[], column: string): string | undefined {
  const line = live.find(({ kind, identity }) => kind === 'column' && plain(identity) === plain(column));
  return (
    line &&
    plain(
      line.definition.replace(
        / (?:collate|not null|not valid|no inherit|generated|default|storage|compression|statistics|with|options)\b.*$/s,
        '',
      ),
    )
  );
}

// A cast to a domain cuts as one to the type below it does.
function below(type: string, live: readonly Line[]): string {
  const domain = live.find(({ kind, identity }) => kind === 'domain' && plain(identity) === type);
  const [, base] = /^(.+?)(?: (?:collate|not null|default|check)\b.*)?$/s.exec(domain?.definition ?? '') ?? [];
  return base === undefined ? type : below(plain(base), live);
}

interface Type {
  readonly base: string;
  readonly first: number | undefined;
  readonly second: number | undefined;
}

// timestamp(3) with time zone: the argument stands in the middle.
function parse(type: string): Type {
  const [, first, second] = /\((\d+)(?:,(-?\d+))?\)/.exec(type) ?? [];
  const asNumber = (text: string | undefined) => (text === undefined ? undefined : Number(text));
  return { base: type.replace(/\(.*?\)/, ''), first: asNumber(first), second: asNumber(second) };
}

function isText(type: string): boolean {
  return /^(?:text|character varying)(?:\[\])*$/.test(parse(type).base);
}

// Of a text an explicit cast to these cuts or rounds what does not fit, without a word: date drops the time, real the digits.
const cutting = /^(?:character|bit|"?char"?|name|real|double precision|date|time|timestamp|interval)\b/;

function takesAllOrFails({ base, first }: Type): boolean {
  return !cutting.test(base) && !(base === 'numeric' && first !== undefined);
}

const integers = ['smallint', 'integer', 'bigint'];

// What cannot be converted fails, and loses nothing: bigint to integer, text to uuid.
function isLossless(from: string, to: string): boolean {
  if (from.endsWith('[]') && to.endsWith('[]')) return isLossless(from.slice(0, -2), to.slice(0, -2));
  const [was, is] = [parse(from), parse(to)];
  if (is.base === 'text' || (isText(to) && is.first === undefined)) return true;
  if (isText(from)) return takesAllOrFails(is);
  if (integers.includes(was.base)) return integers.includes(is.base) || (is.base === 'numeric' && is.first === undefined);
  if (was.base === 'numeric') return is.base === 'numeric' && (is.first === undefined || (was.second ?? Infinity) <= (is.second ?? 0));
  if (was.base.startsWith('timestamp')) return is.base.startsWith('timestamp') && (was.first ?? 6) <= (is.first ?? 6);
  const kept = ['real>double precision', 'date>timestamp without time zone', 'date>timestamp with time zone', 'json>jsonb', 'jsonb>json'];
  return kept.includes(`${was.base}>${is.base}`);
}
