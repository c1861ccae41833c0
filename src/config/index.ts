export type { Connect, ConnectionInput, PgConfig } from './connection.js';
export type { MigrationHook, MigrationHooks, MigrationsConfig, MigrationsInput } from './migrations.js';
export type { MigrationModule, MigrationModules, MigrationSource } from './modules.js';
export type { Check, CheckContext, Expectation, Logger, Mode, Options, ProgressEvent } from './options.js';
export { resolveConfig, type Config } from './resolve.js';
export { ruleTable, type Rule, type RuleSetting, type RulesInput } from './rules.js';
export type { Timeouts } from './timeouts.js';
