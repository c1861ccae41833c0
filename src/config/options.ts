import type { Knex } from 'knex';
import type { Finding } from '../finding.js';
import type { BackupSettings } from './backup.js';
import type { ConnectionInput } from './connection.js';
import type { AllOptions } from './databases.js';
import type { LintInput } from './lint.js';
import type { MigrationsInput } from './migrations.js';
import type { ReplicaInput } from './replicas.js';
import type { RulesInput } from './rules.js';
import type { SchemaInput } from './schema.js';
import type { Stream } from './streams.js';
import type { TenantsInput } from './tenants.js';
import type { ThrottleSettings } from './throttle.js';
import type { TimeoutsInput } from './timeouts.js';

/** `apply` brings the database to head; `wait` waits until another process has; `verify` throws when it is not; `off` does nothing. */
export type Mode = 'apply' | 'wait' | 'verify' | 'off';

/** `background`: the process that booted works on them once it is ready; `blocking`: a boot is ready when they are done; `manual`: the verbs only. */
export type BackfillMode = 'background' | 'blocking' | 'manual';

/** pino, or anything that is called like it. */
export interface Logger {
  /** What a person looks for only when something is wrong. */
  debug(fields: object, message: string): void;
  /** What happens. */
  info(fields: object, message: string): void;
  /** What should not be so, and does not stop the call. */
  warn(fields: object, message: string): void;
  /** What stops the call. */
  error(fields: object, message: string): void;
}

/** What `onProgress` receives: the name of an event, such as `lock.waiting`, and its fields; those that are named here mean the same in each event that has them. */
export interface ProgressEvent {
  readonly event: string;
  /** Of the call; also in the journal. */
  readonly run?: string;
  readonly migration?: string | undefined;
  /** This is number `step` of `of`. */
  readonly step?: number | undefined;
  readonly of?: number | undefined;
  readonly ms?: number | undefined;
  readonly tries?: number | undefined;
  /** Of an error, or of a finding. */
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly reason?: string | undefined;
  readonly status?: string | undefined;
  readonly backfill?: string | undefined;
  readonly database?: string | undefined;
  readonly tenant?: string | undefined;
  readonly stream?: string | undefined;
  /** Milliseconds by phase. */
  readonly timings?: Readonly<Record<string, number>> | undefined;
  readonly [field: string]: unknown;
}

/** A question of the user's own, asked before the first change. What it throws refuses the boot. */
export interface Check {
  /** What errors call it. */
  readonly name: string;
  /** Gives what is wrong, or nothing; may be asynchronous. */
  run(context: CheckContext): Promise<readonly Finding[]> | readonly Finding[];
}

/** What a check may ask, and what it is told. */
export interface CheckContext {
  /** Queries in a read-only session. */
  query<Row>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** As in `server_version_num`: 150004 is 15.4. */
  readonly serverVersion: number;
  readonly database: string;
  readonly environment: string | undefined;
  /** The names of the migrations that are about to run. */
  readonly pending: readonly string[];
}

/** The identity of the one database that may be migrated. */
export interface Expectation {
  readonly database?: string;
  /** As in `pg_control_system()`: digits, as text. */
  readonly systemIdentifier?: string;
}

/** The identity of the one database that may be migrated, as it is given. */
export interface ExpectationInput {
  /** Its name. */
  readonly database?: string | undefined;
  /**
   * That of its server, as in `pg_control_system()`: digits, as text.
   * @pattern ^\d+$
   */
  readonly systemIdentifier?: string | undefined;
}

/** Who migrates: written with each run. */
export interface ApplicationInput {
  /** Default: `npm_package_name`, else the name of the working directory. */
  readonly name?: string | undefined;
  /** Default: `npm_package_version`. */
  readonly version?: string | undefined;
}

/** What a call can be asked. An option that is undefined counts as not given. docs/options.md lists them with their defaults. */
export interface Options {
  /** Where: a URL, a configuration of pg, or a function giving either. Not together with `knex`. */
  readonly connection?: ConnectionInput | URL | undefined;
  /** The same database without the pooler. Used when `connection` turns out to lead through one. */
  readonly directConnection?: ConnectionInput | URL | undefined;
  /** A knex instance whose connection settings and migrations configuration are used. Its pool is not touched. */
  readonly knex?: Knex | undefined;
  /**
   * A directory, a list of them, or an object: knex's own keys, or `modules`. Lies over the configuration of `knex`, key by key.
   * @minItems 1
   */
  readonly migrations?: string | URL | readonly (string | URL)[] | MigrationsInput | undefined;
  /**
   * The model: a module with a default function `(knex) => schema-builder calls`, a .sql file, or a list of both. What create-all, check and
   * autogenerate work from; a boot does not read it. As an object it may say what of a database it is about: `{ files, include, exclude }`; `snapshot`
   * names a file in which the schema after the last migration is written down for review.
   */
  readonly schema?: SchemaInput | undefined;
  /**
   * Migrations that packages bring, each with a history of its own, brought to head with the application's own (the stream `main`, which comes last
   * where no `after` says otherwise). docs/streams.md
   */
  readonly streams?: readonly Stream[] | undefined;
  /**
   * The search_path of the session for every migration, check and read of the call; beats that of the role, of the database and of `knex`. New tables
   * go to the first schema, which must exist.
   * @minItems 1
   */
  readonly searchPath?: readonly string[] | undefined;
  /**
   * A schema for each tenant, with a history of its own: the call brings each of them to head, and throws EM_NOT_ALL_MIGRATED otherwise. Migrations run
   * with the search_path of the tenant's schema, then `searchPath` (default `public`). docs/tenants.md
   */
  readonly tenants?: TenantsInput | undefined;
  /** The migration up to which a database with tables and no history is taken as migrated. Recorded under the lock, nothing is run. */
  readonly baseline?: string | undefined;
  /** Default `apply`. `wait` and `verify` never write. */
  readonly mode?: Mode | undefined;
  /** Who works on enqueued backfills. Default `background`; in mode `apply` only. Verbs never work in the background. */
  readonly backfills?: BackfillMode | undefined;
  /** A transaction for each migration (default), or one for the whole set: then a failure leaves none of them. */
  readonly transaction?: 'each' | 'all' | undefined;
  /**
   * Default false. A backup is taken under the lock before pending migrations run, and when that fails none of them does: by pg_dump into a
   * directory that exists (`keepCount` removes older ones of this database, default none), or by a command that the shell runs.
   */
  readonly backup?: false | BackupSettings | undefined;
  /**
   * Read replicas, each by its own direct connection: the call returns only when each of them shows the migrated schema. What is no standby of
   * this primary refuses the call before anything is changed. Default: none.
   */
  readonly replicas?: readonly ReplicaInput[] | undefined;
  /** A level for each rule: `{ 'history-edited': 'warn' }`, or with exceptions `{ 'invalid-index': { level: 'error', except: ['a_idx'] } }`. */
  readonly rules?: RulesInput | undefined;
  /**
   * The lint: `from` names the revision from which on migrations are judged (for adoption; all older are not), `smallTableRows` (default 10000)
   * how many rows a table may have before a scan, a rewrite or a block of it counts. `false`: no lint; each migration counts as breaking that
   * does not say otherwise.
   */
  readonly lint?: false | LintInput | undefined;
  /**
   * What a backfill waits for between two batches; each limit holds it above, and lets it go on at half of that. `replicaLagMs` (default 10000) and
   * `replicaLagBytes` of the slowest replica, `slotBacklogBytes` of WAL kept for a replication slot, `waitingLocksCount` (default 20) of sessions that wait
   * for a lock, `autovacuum` (default false) at work on the table, `duty` (default 1) as the share of the time that batches may take, and `check`, a function
   * of your own that gives true, or a reason, to wait. `false`: nothing.
   */
  readonly throttle?: false | Partial<ThrottleSettings> | undefined;
  /** Questions of your own, asked together with the built-in checks. */
  readonly checks?: readonly Check[] | undefined;
  /** Refuses to migrate any other database than this. */
  readonly expect?: ExpectationInput | undefined;
  /** Written with each run. */
  readonly environment?: string | undefined;
  /** Written with each run, and part of the session's application_name. */
  readonly application?: ApplicationInput | undefined;
  /** Durations in milliseconds. */
  readonly timeouts?: TimeoutsInput | undefined;
  /** pino or compatible; `false` is silent; by default a pino of our own that writes to stdout. */
  readonly logger?: Logger | false | undefined;
  /** Stops the call when aborted: rolled back, unlocked, EM_ABORTED. */
  readonly signal?: AbortSignal | undefined;
  /** Called with every event that is logged. What it throws is reported as a process warning. */
  readonly onProgress?: ((event: ProgressEvent) => void) | undefined;
}

/** Gives the options back as they are: for the types, in an ensure-migrated.config file. */
export function defineConfig(options: Options): Options;
export function defineConfig(options: AllOptions): AllOptions;
export function defineConfig(options: Options | AllOptions): Options | AllOptions {
  return options;
}
