import { basename } from 'node:path';
import type { Knex } from 'knex';
import { MigrationError } from '../errors.js';
import type { BackupSettings } from './backup.js';
import { connectionOfKnex, hasPgVariables, knexClientOf, type Connect } from './connection.js';
import { variableOf } from './environment.js';
import type { LintSettings } from './lint.js';
import { migrationsTable, readInheritedMigrations, settleMigrations, type MigrationsConfig } from './migrations.js';
import type { BackfillMode, Check, Expectation, Logger, Mode, Options, ProgressEvent } from './options.js';
import type { ReplicaSettings } from './replicas.js';
import { ruleTable, type Rule, type RuleSetting } from './rules.js';
import type { SchemaSource } from './schema.js';
import { conflictsOfStreams, type StreamSettings } from './streams.js';
import { optionTable, type OptionRow } from './table.js';
import { conflictsWithTenants, type TenantSettings } from './tenants.js';
import type { ThrottleSettings } from './throttle.js';
import { timeoutTable, type Timeouts } from './timeouts.js';
import { isObject, kindOf, refuseUnknownKeys } from './values.js';

/** The options, resolved: everything is there, checked and frozen. The user's own objects are passed through as they are. */
export interface Config {
  /** Asked before each connect, so that credentials may rotate. */
  readonly connection: Connect;
  readonly directConnection: Connect | undefined;
  readonly knex: Knex | undefined;
  readonly migrations: MigrationsConfig;
  readonly schema: SchemaSource | undefined;
  readonly streams: readonly StreamSettings[];
  /** Undefined: as the role, the database or `knex` has it. */
  readonly searchPath: readonly string[] | undefined;
  readonly tenants: TenantSettings | undefined;
  readonly baseline: string | undefined;
  readonly mode: Mode;
  readonly backfills: BackfillMode;
  readonly transaction: 'each' | 'all';
  readonly backup: false | BackupSettings;
  readonly replicas: readonly ReplicaSettings[];
  readonly rules: Readonly<Record<Rule, RuleSetting>>;
  /** `false`: migrations are not even captured, and each counts as breaking that does not say otherwise. */
  readonly lint: false | LintSettings;
  readonly checks: readonly Check[];
  readonly throttle: false | ThrottleSettings;
  readonly expect: Expectation;
  readonly environment: string | undefined;
  readonly application: { readonly name: string; readonly version: string | undefined };
  readonly timeouts: Timeouts;
  /** Undefined: our own pino, loaded on first need. */
  readonly logger: Logger | false | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((event: ProgressEvent) => void) | undefined;
}

/**
 * Resolves the options: what is given, else the environment, else the default. Reads process.env and the working directory, now and
 * not at import; reads no file and opens nothing. Throws EM_CONFIG_INVALID with all problems at once; no value of a connection is in it.
 */
export function resolveConfig(options: Options = {}): Config {
  const problems: string[] = [];
  const config = configOf(options, problems);
  if (problems.length > 0) throw invalid(problems);
  return Object.freeze(config);
}

/** The same, with the problems written down: where there are any, values are missing. */
export function configOf(options: Options, problems: string[]): Config {
  const asked = readOptions(options, problems);
  const migrations = migrationsOf(asked, problems);
  problems.push(...conflictsOfStreams(asked.streams, migrations));
  problems.push(...conflictsWithTenants({ ...asked, migrations }));
  return {
    ...asked,
    connection: connectionOf(options, asked, problems),
    migrations,
    rules: rulesOf(options, asked, migrations),
    application: applicationOf(asked),
  };
}

/**
 * What is wrong with options by themselves, one problem a line: the environment is not read, and a database need not be named. For options
 * whose place (a file) is to be named.
 */
export function problemsOf(options: unknown): readonly string[] {
  const problems: string[] = [];
  const place = { path: '', problems };
  if (!isObject(options)) return [`expected an object of options; got ${kindOf(options)}`];
  refuseUnknownKeys(options, suggestible(), place);
  for (const name of optionNames) if (options[name] !== undefined) optionTable[name].read(options[name], { path: name, problems });
  const { knex, connection } = options;
  if (knex !== undefined && connection !== undefined) problems.push(twoConnections);
  readInheritedMigrations(knexClientOf(knex)?.config.migrations, { path: 'knex.migrations', problems });
  return problems;
}

/** All problems with options in one error. */
export function invalid(problems: readonly string[]): MigrationError {
  return new MigrationError('EM_CONFIG_INVALID', ['the options are not valid:', ...problems].join('\n  '));
}

/** Whether options or environment name a database. Reads process.env; looks at no value. */
export function isConnectionGiven({ connection, knex }: Options): boolean {
  return connection !== undefined || knex !== undefined || variableOf('connection') !== undefined || hasPgVariables(process.env);
}

type Given<Name extends keyof Options> = Exclude<ReturnType<(typeof optionTable)[Name]['read']>, undefined>;
type AlwaysThere =
  | 'mode'
  | 'backfills'
  | 'transaction'
  | 'backup'
  | 'streams'
  | 'replicas'
  | 'rules'
  | 'lint'
  | 'checks'
  | 'throttle'
  | 'expect'
  | 'application'
  | 'timeouts';

/** The options by themselves, each by its row. Where a problem was written down a value is missing, whatever the type says. */
type Asked = { readonly [Name in keyof Options]-?: Given<Name> | (Name extends AlwaysThere ? never : undefined) };

/** Of every option. */
export const optionNames = Object.keys(optionTable) as (keyof Options)[];

function readOptions(options: Options, problems: string[]): Asked {
  if (!isObject(options))
    throw invalid([`options: expected an object; got ${knexClientOf(options) ? 'knex: write { knex }' : kindOf(options)}`]);
  refuseUnknownKeys(options, suggestible(), { path: '', problems });
  return Object.fromEntries(optionNames.map((name) => [name, readOption(name, options, problems)])) as Asked;
}

function readOption(name: keyof Options, options: Options, problems: string[]): unknown {
  const row: OptionRow = optionTable[name];
  if (options[name] !== undefined) return row.read(options[name], { path: name, problems });
  if (name === 'connection' && options.knex !== undefined) return undefined; // an option beats the environment
  const variable = variableOf(name);
  if (variable !== undefined) return row.read(process.env[variable], { path: `${variable} (environment)`, problems });
  return row.default === undefined ? undefined : row.read(row.default, { path: name, problems });
}

/** Names that may stand there, and that an unknown one may have meant. Whoever writes `{ directory }` at the top is told where it belongs. */
export function suggestible(): string[] {
  const under = (name: string, keys: object) => Object.keys(keys).map((key) => `${name}.${key}`);
  return [
    ...optionNames,
    ...under('migrations', migrationsTable),
    ...under('timeouts', timeoutTable),
    ...under('rules', ruleTable),
    ...connectionNames,
    schemaName,
  ];
}

// What an editor looks for in a JSON file. It means nothing to us, also where an application imports that file.
const schemaName = '$schema';

const connectionNames = ['connectionString', 'host', 'port', 'user', 'password', 'database', 'ssl'].map((key) => `connection.${key}`);

const twoConnections = 'knex: expected alone; got it together with connection';

function connectionOf(options: Options, asked: Asked, problems: string[]): Connect {
  if (options.knex !== undefined && options.connection !== undefined) problems.push(twoConnections);
  if (asked.knex) return connectionOfKnex(asked.knex);
  if (asked.connection) return asked.connection;
  if (hasPgVariables(process.env)) return () => Promise.resolve({});
  const nothing = 'connection: no database given; set connection or knex, or DATABASE_URL or PGHOST in the environment';
  const isRefused = options.connection !== undefined || options.knex !== undefined || Boolean(process.env['DATABASE_URL']);
  if (!isRefused && asked.mode !== 'off') problems.push(nothing);
  return () => Promise.reject(invalid([nothing]));
}

function migrationsOf(asked: Asked, problems: string[]): MigrationsConfig {
  const inherited = readInheritedMigrations(knexClientOf(asked.knex)?.config.migrations, { path: 'knex.migrations', problems });
  return settleMigrations(asked.migrations ?? {}, inherited);
}

// knex's flag lets applied migrations be missing from the code in silence; here they are named, unless their level was given.
function rulesOf({ rules }: Options, asked: Asked, { disableMigrationsListValidation }: MigrationsConfig): Config['rules'] {
  if (!disableMigrationsListValidation) return asked.rules;
  const softened = (['history-missing', 'history-ahead'] as const).filter((name) => rules?.[name] === undefined);
  const setting: RuleSetting = Object.freeze({ level: 'warn', except: Object.freeze([]) });
  return Object.freeze({ ...asked.rules, ...Object.fromEntries(softened.map((name) => [name, setting])) });
}

function applicationOf({ application }: Asked): Config['application'] {
  const name = application?.name ?? (process.env['npm_package_name'] || basename(process.cwd()) || 'node');
  return Object.freeze({ name, version: application?.version ?? (process.env['npm_package_version'] || undefined) });
}
