import { flag, isObject, kindOf, oneOf, refuse, refuseUnknownKeys, shown, text, type Reader } from '../config/index.js';
import { MigrationError } from '../errors.js';
import type { TestDatabasesOptions } from './harness.js';
import type { MigratingOptions } from './project.js';

const migratingNames = ['migrations', 'knex', 'transaction', 'rules', 'application', 'environment', 'timeouts'];

const url: Reader<string> = (value, place) => (typeof value === 'string' && value !== '' ? value : refuse(place, 'a URL', kindOf(value)));
const major: Reader<number> = (value, place) =>
  Number.isInteger(value) ? (value as number) : refuse(place, 'a major version, as a number', shown(value));
const work: Reader<unknown> = (value, place) => (typeof value === 'function' ? value : refuse(place, 'a function', shown(value)));
const settings: Reader<object> = (value, place) => (isObject(value) ? value : refuse(place, 'an object of settings', shown(value)));
const seed: Reader<unknown> = (value, place) => {
  const isPlace = (each: unknown) => (typeof each === 'string' && each !== '') || each instanceof URL;
  if (typeof value === 'function' || isPlace(value) || (Array.isArray(value) && value.every(isPlace))) return value;
  return refuse(place, 'a function, or paths of .sql files', shown(value));
};

const table: Record<Exclude<keyof TestDatabasesOptions, keyof MigratingOptions>, Reader<unknown>> = {
  url,
  postgres: major,
  settings,
  listen: oneOf('socket', 'tcp'),
  seed,
  key: text,
  onLeak: oneOf('warn', 'end', 'error'),
  onIdle: oneOf('keep', 'end'),
  keepFailed: flag,
  onPhase: work,
};

/** Refuses what is none of the harness's own options, and what they cannot be: EM_CONFIG_INVALID. Those of the migrations are read elsewhere. */
export function refuseUnsound(options: TestDatabasesOptions): void {
  const problems: string[] = [];
  refuseUnknownKeys(options, [...Object.keys(table), ...migratingNames], { path: '', problems });
  for (const [name, read] of Object.entries(table)) {
    const value: unknown = options[name as keyof TestDatabasesOptions];
    if (value !== undefined) read(value, { path: name, problems });
  }
  if (problems.length > 0) throw new MigrationError('EM_CONFIG_INVALID', ['the options are not valid:', ...problems].join('\n  '));
}
