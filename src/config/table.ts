import { readBackup } from './backup.js';
import { readConnection, readKnex } from './connection.js';
import { readLint } from './lint.js';
import { readMigrations } from './migrations.js';
import type { Check, Expectation, Logger, Options, ProgressEvent } from './options.js';
import { readReplicas } from './replicas.js';
import { readRules } from './rules.js';
import { readSchemaSource } from './schema.js';
import { readStreams } from './streams.js';
import { readSearchPath, readTenants } from './tenants.js';
import { readThrottle } from './throttle.js';
import { readTimeouts } from './timeouts.js';
import { callable, havingMethods, kindOf, oneOf, record, refuse, shown, text, within, type Place, type Reader } from './values.js';

export interface OptionRow {
  /** The first of these environment variables that is set stands in for an option that is not given. */
  readonly environment?: readonly string[];
  /** Read as if it had been given. */
  readonly default?: unknown;
  /** The default in words, where the value does not say it. */
  readonly shown?: string;
  readonly sentence: string;
  readonly read: Reader<unknown>;
}

/** Every option: the one place where its environment variables, its default, its sentence and its reader stand. */
export const optionTable = {
  connection: {
    environment: ['DATABASE_URL'],
    shown: 'the `PG*` variables, as pg reads them',
    sentence: 'The database: a URL, a configuration of pg, or an async function giving either, asked before each connect.',
    read: readConnection,
  },
  directConnection: {
    environment: ['ENSURE_MIGRATED_DIRECT_URL'],
    sentence: 'The same database past the pooler, in the same forms; used where a pooler is found.',
    read: readConnection,
  },
  knex: { sentence: 'A knex instance, for its connection settings and its migrations configuration.', read: readKnex },
  migrations: {
    shown: '`./migrations`',
    sentence: 'A directory, a list of them, or an object of the keys below; lies over the configuration of `knex`, key by key.',
    read: readMigrations,
  },
  schema: {
    sentence:
      'The model, for create-all, check and autogenerate: a module with a default function `(knex) => ...`, a .sql file, a list of both, or `{ files, include, exclude, snapshot }`.',
    read: readSchemaSource,
  },
  streams: {
    default: [],
    sentence:
      'Migrations that packages bring, each with a history of its own: a list of `{ name, migrations, after }`, as the packages export them. See streams.md.',
    read: readStreams,
  },
  searchPath: {
    shown: 'that of the role, or of `knex`',
    sentence:
      'The search_path of every migration, check and read: a list of schemas, the first of which must exist. Beats that of the role, of the database and of `knex`.',
    read: readSearchPath,
  },
  tenants: {
    sentence:
      'A schema for each tenant, with a history of its own: `{ schemas, concurrency, onFailure }`, where `schemas` is a list of names or a function that gives one. See tenants.md.',
    read: readTenants,
  },
  baseline: { sentence: 'For a database with tables and no history: the migration up to which to record without running.', read: text },
  mode: {
    environment: ['ENSURE_MIGRATED_MODE'],
    default: 'apply',
    sentence: '`apply`; `wait` until another process has applied; `verify` throws when out of sync; `off`.',
    read: oneOf('apply', 'wait', 'verify', 'off'),
  },
  backfills: {
    environment: ['ENSURE_MIGRATED_BACKFILLS'],
    default: 'background',
    sentence:
      'Who works on enqueued backfills: the process that booted, in the `background` once it is ready; the boot itself, which is `blocking` until they are done; nobody but the verbs (`manual`). In mode `apply` only.',
    read: oneOf('background', 'blocking', 'manual'),
  },
  transaction: { default: 'each', sentence: 'A transaction for `each` migration, or one for `all`.', read: oneOf('each', 'all') },
  backup: {
    default: false,
    sentence:
      'Before pending migrations run: `{ directory, keepCount }` for pg_dump, or `{ command }` of your own. No backup, no migration.',
    read: readBackup,
  },
  replicas: {
    default: [],
    sentence:
      'Read replicas that must show the migrated schema before the call returns: a list of connections or `{ name, connection, policy, timeoutMs, when }`. See replicas.md.',
    read: readReplicas,
  },
  rules: {
    default: {},
    shown: 'below',
    sentence: 'A level for each rule: `error`, `warn`, `off`, or `{ level, except: [names] }`.',
    read: readRules,
  },
  lint: {
    default: {},
    shown: '`smallTableRows` 10000',
    sentence: '`{ from, smallTableRows }`: migrations before the revision `from` are not linted; tables of fewer rows are spared.',
    read: readLint,
  },
  checks: {
    default: [],
    sentence: 'Checks of your own: a list of `{ name, run(context) }`, where `run` gives findings.',
    read: readChecks,
  },
  throttle: {
    default: {},
    shown: '`replicaLagMs` 10000, `waitingLocksCount` 20',
    sentence:
      'What a backfill waits for between batches: `{ replicaLagMs, replicaLagBytes, slotBacklogBytes, waitingLocksCount, autovacuum, duty, check }`; `false`: nothing.',
    read: readThrottle,
  },
  expect: {
    default: {},
    sentence: 'Refuses any other database than `{ database, systemIdentifier }`.',
    read: record<Expectation>({ database: text, systemIdentifier: readDigits }),
  },
  environment: { environment: ['ENSURE_MIGRATED_ENVIRONMENT', 'NODE_ENV'], sentence: 'Written with each run.', read: text },
  application: {
    default: {},
    shown: '`npm_package_name` (else the working directory) and `npm_package_version`',
    sentence: '`{ name, version }`, written with each run.',
    read: record<{ name: string; version: string }>({ name: text, version: text }),
  },
  timeouts: { default: {}, shown: 'below', sentence: 'Durations in milliseconds.', read: readTimeouts },
  logger: { shown: 'pino, to stdout', sentence: 'pino or anything called like it; `false` is silent.', read: readLogger },
  signal: { sentence: 'An AbortSignal that stops the call.', read: readSignal },
  onProgress: { sentence: 'A function that is called with every event.', read: callable<(event: ProgressEvent) => void>() },
} as const satisfies Record<keyof Options, OptionRow>;

function readLogger(value: unknown, place: Place): Logger | false | undefined {
  if (value === false) return false;
  return havingMethods<Logger>('debug', 'info', 'warn', 'error')(value, place);
}

// By its shape: a polyfill's or another realm's signal is no instance of ours.
function readSignal(value: unknown, place: Place): AbortSignal | undefined {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>;
  const isSignal = typeof aborted === 'boolean' && typeof addEventListener === 'function';
  return isSignal ? (value as AbortSignal) : refuse(place, 'an AbortSignal', kindOf(value));
}

// Its 64 bits do not fit into a JavaScript number.
function readDigits(value: unknown, place: Place): string | undefined {
  return typeof value === 'string' && /^\d+$/.test(value) ? value : refuse(place, 'digits, as text', shown(value));
}

function readChecks(value: unknown, place: Place): readonly Check[] | undefined {
  if (!Array.isArray(value)) return refuse(place, 'a list of { name, run }', shown(value));
  const checks = value.map((each, index) => readCheck(each, within(place, String(index))));
  return Object.freeze(checks.filter((check) => check !== undefined));
}

function readCheck(value: unknown, place: Place): Check | undefined {
  const check = havingMethods<Check>('run')(value, place);
  if (check !== undefined) text(check.name, within(place, 'name'));
  return check;
}
