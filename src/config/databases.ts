import { readOnFailure, type OnFailure } from './on-failure.js';
import type { Mode, Options } from './options.js';
import { configOf, invalid, optionNames, problemsOf, suggestible } from './resolve.js';
import {
  isObject,
  isPlainObject,
  kindOf,
  refuse,
  refuseUnknownKeys,
  shown,
  wholeFrom1,
  within,
  type Place,
  type Reader,
} from './values.js';

/** One of several databases: its name, its connection or knex, and what it has other than the others. */
export interface DatabaseOptions extends Omit<Options, OfTheCall> {
  /**
   * What errors, events and the command line call it.
   * @pattern ^[^\s*]+$
   */
  readonly name: string;
}

/** What a call for several databases can be asked. The options beside `databases` are the defaults of each entry, option by option. */
export interface AllOptions extends Omit<Options, OfOneDatabase> {
  /**
   * In the order in which they are begun. Each names its own connection: nothing of the environment stands in for that.
   * @minItems 1
   */
  readonly databases: readonly DatabaseOptions[];
  /**
   * How many at once.
   * @default 4
   * @asType integer
   * @minimum 1
   */
  readonly concurrency?: number | undefined;
  /**
   * So many go first; the others are begun only when all of these are at head, whatever `onFailure` says.
   * @default 0
   * @asType integer
   * @minimum 0
   */
  readonly canary?: number | undefined;
  /** When one has failed: begin no more (`stop`, the default), go on (`continue`), or go on until more than `max` have failed. */
  readonly onFailure?: OnFailure | undefined;
}

/** One of them, as the options of a call of its own. */
export interface Database {
  readonly name: string;
  readonly options: Options;
}

/** Several databases, resolved. */
export interface Databases {
  /** Of the call itself, and the defaults of each. */
  readonly shared: Options;
  readonly databases: readonly Database[];
  readonly concurrency: number;
  readonly canary: number;
  readonly onFailure: OnFailure;
}

const ofOneDatabase = ['connection', 'directConnection', 'knex', 'replicas'] as const;
type OfOneDatabase = (typeof ofOneDatabase)[number];

const ofTheCall = ['logger', 'onProgress', 'signal'] as const;
type OfTheCall = (typeof ofTheCall)[number];

type Plan = Omit<Databases, 'shared' | 'databases'>;

const defaults: Plan = { concurrency: 4, canary: 0, onFailure: 'stop' };
const planNames = Object.keys(defaults) as (keyof Plan)[];

/**
 * Resolves a call for several databases into the options of a call for each. Reads process.env, no file, and opens nothing. Throws
 * EM_CONFIG_INVALID with all problems of all entries at once, each with the name of its entry.
 */
export function resolveDatabases(options: AllOptions): Databases {
  const problems: string[] = [];
  const plan = readPlan(options, problems);
  const shared = sharedOptions(options);
  const { mode } = configOf({ ...shared, connection: nowhere }, problems);
  refuseBare(entriesOf(options), mode, problems);
  if (problems.length > 0) throw invalid(problems);
  const databases = databasesOf(options);
  problems.push(...databases.flatMap(conflictsIn));
  if (problems.length > 0) throw invalid(problems);
  return Object.freeze({ shared, databases, ...defaults, ...plan });
}

// What is right by itself, and not beside what the entry shares.
function conflictsIn({ name, options }: Database): string[] {
  const problems: string[] = [];
  configOf(options, problems);
  return problems.map((problem) => `databases.${name}.${problem}`);
}

/**
 * Each of them as the options of a call of its own: what it says, and for the rest what stands beside the list. One that names no connection has one that
 * throws EM_CONFIG_INVALID when it is asked: what the environment names is never taken for it.
 */
export function databasesOf(options: AllOptions): readonly Database[] {
  const shared = sharedOptions(options);
  const expand = ({ name, ...own }: DatabaseOptions): Database => {
    const connection = isBare(own) ? { connection: () => Promise.reject(invalid([nameless(name)])) } : {};
    return Object.freeze({ name, options: { ...shared, ...given(own, optionNames), ...connection } });
  };
  return Object.freeze(options.databases.map(expand));
}

/** What is wrong with such options by themselves, one problem a line; see {@link problemsOf}. */
export function problemsOfAll(options: unknown): readonly string[] {
  const problems: string[] = [];
  readPlan(options, problems);
  return [...problems, ...problemsOf(given(options, optionNames))];
}

/** What stands beside the list. */
export function sharedOptions(options: AllOptions): Options {
  return given(options, optionNames);
}

// An option that is undefined counts as not given.
function given(options: unknown, names: readonly string[]): Record<string, unknown> {
  if (!isObject(options)) return {};
  return Object.fromEntries(Object.entries(options).filter(([name, value]) => value !== undefined && names.includes(name)));
}

function readPlan(options: unknown, problems: string[]): Partial<Plan> {
  if (!isObject(options)) throw invalid([`options: expected an object with databases; got ${kindOf(options)}`]);
  const place = { path: '', problems };
  refuseUnknownKeys(options, ['databases', ...planNames, ...suggestible()], place);
  refuseMisplaced(options, ofOneDatabase, { place, where: 'in each entry of databases' });
  const plan = planNames.map((name) => [name, options[name] === undefined ? undefined : readers[name](options[name], within(place, name))]);
  readEntries(options['databases'], within(place, 'databases'));
  return given(Object.fromEntries(plan), planNames);
}

function refuseMisplaced(
  options: object,
  names: readonly string[],
  { place, where }: { readonly place: Place; readonly where: string },
): void {
  for (const name of Object.keys(given(options, names))) refuse(within(place, name), where, 'it here');
}

function readEntries(entries: unknown, place: Place): void {
  if (!Array.isArray(entries) || entries.length === 0)
    return refuse(place, 'a list of { name, connection, ... }', Array.isArray(entries) ? 'an empty one' : kindOf(entries));
  const labels = entries.map(labelOf);
  for (const [index, entry] of entries.entries()) readEntry(entry, within(place, labels[index] as string));
  const twice = [...new Set(labels.filter((label, index) => labels.indexOf(label) < index))];
  for (const label of twice) refuse(place, 'a name of its own for each', `${shown(label)} twice`);
}

function entriesOf({ databases }: AllOptions): readonly unknown[] {
  return Array.isArray(databases) ? databases : [];
}

function labelOf(entry: unknown, index: number): string {
  const name = isObject(entry) ? entry['name'] : undefined;
  return isName(name) ? name : String(index);
}

// What the environment names is one database: ten entries that took it would be ten times that one.
function refuseBare(entries: readonly unknown[], mode: Mode, problems: string[]): void {
  const bare = entries.filter((entry) => isObject(entry) && (entry['mode'] ?? mode) !== 'off' && isBare(entry));
  const names = bare.map((entry) => labelOf(entry, entries.indexOf(entry)));
  if (names.length > 0) problems.push(nameless(names.join(', ')));
}

function isBare({ connection, knex }: Options): boolean {
  return connection === undefined && knex === undefined;
}

function nameless(names: string): string {
  return `databases: expected a connection, or knex, in each entry (DATABASE_URL is not taken for them); got none in ${names}`;
}

function readEntry(entry: unknown, place: Place): void {
  if (!isPlainObject(entry)) return refuse(place, 'an object of options, with a name', kindOf(entry));
  const { name, ...own } = entry;
  if (!isName(name)) refuse(within(place, 'name'), 'a name without spaces and *', shown(name));
  refuseMisplaced(own, ofTheCall, { place, where: 'beside databases, for all of them' });
  place.problems.push(...problemsOf(own).map((problem) => `${place.path}.${problem}`));
}

// On the command line * stands for any letters.
function isName(name: unknown): name is string {
  return typeof name === 'string' && /^[^\s*]+$/.test(name);
}

const wholeFrom0: Reader<number> = (value, place) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : refuse(place, 'a whole number from 0', shown(value));

const readers: { readonly [Name in keyof Plan]: Reader<Plan[Name]> } = {
  concurrency: wholeFrom1,
  canary: wholeFrom0,
  onFailure: readOnFailure,
};

// The call itself connects to none of them.
const nowhere = () => Promise.reject(new Error('a call for several databases has no connection of its own'));
