export type { BackupDirectory, BackupSettings } from './backup.js';
export { knexClientOf, type Connect, type ConnectionInput, type PgConfig } from './connection.js';
export {
  databasesOf,
  problemsOfAll,
  resolveDatabases,
  sharedOptions,
  type AllOptions,
  type Database,
  type DatabaseOptions,
} from './databases.js';
export type { Databases } from './databases.js';
export type { OnFailure } from './on-failure.js';
export { isProduction, nodeEnvironment, variableOf } from './environment.js';
export { extraCertificatesFile, inheritedVariables, searchedDirectories } from './inherited.js';
export { lintRuleTable, type LintRule } from './lint-rules.js';
export { defaultSmallTableRows, type LintInput, type LintSettings } from './lint.js';
export { migrationKeys } from './migrations.js';
export type { MigrationHook, MigrationsConfig, MigrationsInput } from './migrations.js';
export type { MigrationModule, MigrationSource } from './modules.js';
export { defineConfig, type Check, type CheckContext, type Logger } from './options.js';
export type { ApplicationInput, BackfillMode, ExpectationInput, Mode, Options, ProgressEvent } from './options.js';
export { isConnectionGiven, optionNames, problemsOf, resolveConfig, type Config } from './resolve.js';
export type { ReplicaInput, ReplicaSettings } from './replicas.js';
export { ruleTable, type Rule, type RuleInput, type RuleSetting, type RulesInput } from './rules.js';
export type { SchemaInput, SchemaSource } from './schema.js';
export { mainStream, type After, type Stream, type StreamSettings } from './streams.js';
export { readTenantName, type TenantSettings, type TenantsInput } from './tenants.js';
export type { ThrottleAnswer, ThrottleSettings } from './throttle.js';
export type { TimeoutsInput } from './timeouts.js';
export {
  flag,
  isObject,
  kindOf,
  oneOf,
  record,
  refuse,
  refuseUnknownKeys,
  shown,
  suggestion,
  text,
  within,
  type Place,
  type Reader,
} from './values.js';
