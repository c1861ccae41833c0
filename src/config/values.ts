import { redact } from '../sql.js';

/** Where a value stands among the options, and the list that its problems are written to. */
export interface Place {
  readonly path: string;
  readonly problems: string[];
}

/** Reads one value as the user gave it: the value as the library uses it, or undefined after having written down what is wrong with it. */
export type Reader<Value> = (value: unknown, place: Place) => Value | undefined;

export function within(place: Place, key: string): Place {
  return { path: place.path === '' ? key : `${place.path}.${key}`, problems: place.problems };
}

/** Writes a problem down. `given` comes from {@link shown}, or from {@link kindOf} where the value may hold a secret. */
export function refuse(place: Place, expected: string, given: string): undefined {
  place.problems.push(`${place.path}: expected ${expected}; got ${given}`);
}

/** Writes down every key of an object that is not a `known` one. A known name may be a dotted path: its last part is what is compared. */
export function refuseUnknownKeys(value: object, known: readonly string[], place: Place): void {
  for (const key of Object.keys(value).filter((key) => !known.includes(key))) {
    const { path, problems } = within(place, key);
    problems.push(`${path}: unknown option${suggestion(key, known)}`);
  }
}

/** `; did you mean "mode"?`, or nothing where no name is near. */
export function suggestion(given: string, known: readonly string[]): string {
  const near = known.map((name) => ({ name, unlike: unlikeness(given.toLowerCase(), lastPart(name).toLowerCase()) }));
  const [nearest] = near.sort((a, b) => a.unlike - b.unlike);
  return nearest && nearest.unlike <= 1 / 3 ? `; did you mean "${nearest.name}"?` : '';
}

// The share of letters that differ.
function unlikeness(given: string, name: string): number {
  return distance(given, name) / Math.max(given.length, name.length);
}

function lastPart(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1);
}

// Levenshtein, a row at a time.
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (letter === to[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replaced));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** A value as an error may show it: short, and without passwords. */
export function shown(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'string') return kindOf(value);
  const masked = redact(value);
  return JSON.stringify(masked.length > 60 ? `${masked.slice(0, 60)}...` : masked);
}

/** What sort of value it is, without the value: `text`, `a list`, `an instance of Pool`. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value !== 'object') return kinds[typeof value];
  const maker = isPlainObject(value) ? undefined : ((value as { constructor?: { name?: string } }).constructor?.name ?? '');
  return maker ? `an instance of ${maker}` : 'an object';
}

const kinds = {
  string: 'text',
  number: 'a number',
  bigint: 'a bigint',
  boolean: 'a boolean',
  symbol: 'a symbol',
  undefined: 'undefined',
  object: 'an object',
  function: 'a function',
};

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether an object was written as `{...}`. Looks at the prototype's prototype, since a test runner's objects are of another realm. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (!isObject(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A reader of one of several words. */
export function oneOf<const Word extends string>(...words: readonly Word[]): Reader<Word> {
  return (value, place) => {
    const word = words.find((each) => each === value);
    if (word !== undefined) return word;
    return refuse(place, listed(words), shown(value) + (typeof value === 'string' ? suggestion(value, words) : ''));
  };
}

/** `"each" or "all"` */
export function listed(words: readonly string[]): string {
  const quoted = words.map((word) => JSON.stringify(word));
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}

export const text: Reader<string> = (value, place) =>
  typeof value === 'string' && value !== '' ? value : refuse(place, 'text that is not empty', shown(value));

/** A reader of a count that is not 0. */
export const wholeFrom1: Reader<number> = (value, place) =>
  Number.isSafeInteger(value) && (value as number) >= 1 ? (value as number) : refuse(place, 'a whole number from 1', shown(value));

export const flag: Reader<boolean> = (value, place) => (typeof value === 'boolean' ? value : refuse(place, 'true or false', shown(value)));

export const texts: Reader<readonly string[]> = (value, place) =>
  Array.isArray(value) && value.every((item) => typeof item === 'string' && item !== '')
    ? Object.freeze([...(value as string[])])
    : refuse(place, 'a list of texts that are not empty', shown(value));

/** A reader of a function; what it takes and gives cannot be seen from outside. */
export function callable<Callable>(): Reader<Callable> {
  return (value, place) => (typeof value === 'function' ? (value as Callable) : refuse(place, 'a function', shown(value)));
}

/** A reader of an object of the user's that must have these methods. It is neither copied nor frozen. */
export function havingMethods<Methods>(...names: readonly (keyof Methods & string)[]): Reader<Methods> {
  return (value, place) => {
    const isComplete = isObject(value) && names.every((name) => typeof value[name] === 'function');
    return isComplete ? (value as Methods) : refuse(place, `an object with the methods ${names.join(', ')}`, shown(value));
  };
}

/** Reads an object of known keys, each by its own reader; what is not given stays out. Frozen. */
export function record<Value>(readers: { readonly [Key in keyof Value]-?: Reader<Value[Key]> }): Reader<Partial<Value>> {
  return (value, place) => {
    if (!isObject(value)) return refuse(place, `an object of ${Object.keys(readers).join(', ')}`, shown(value));
    refuseUnknownKeys(value, Object.keys(readers), place);
    const result: Partial<Value> = {};
    for (const key of Object.keys(readers) as (keyof Value & string)[]) {
      const read = value[key] === undefined ? undefined : readers[key](value[key], within(place, key));
      if (read !== undefined) result[key] = read;
    }
    return Object.freeze(result);
  };
}
