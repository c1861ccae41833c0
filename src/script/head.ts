import { counted } from '../counted.js';
import { identifier, literal } from '../sql.js';
import type { ScriptRequest } from './script.js';

/**
 * Everybody else queues behind a statement that waits for a lock, so it does not wait for long; but longer than deadlock_timeout (1 s), after
 * which the server takes an autovacuum out of its way. A script cannot try again.
 */
export const lockTimeout = '2s';

/** What the script is, who made it, and how it is to be run. */
export function renderHead({ call, range, steps, madeBy }: ScriptRequest): string {
  const { name, version = '' } = call.config.application;
  const first = range.standing.at(-1)?.name ?? 'base';
  const last = range.direction === 'up' ? steps.at(-1)?.name : `before ${steps.at(-1)?.name}`;
  const verb = range.direction === 'up' ? 'Upgrade' : 'Downgrade';
  return [
    comment(`${verb} from ${first} to ${last}: ${counted(steps.length, 'migration')} of ${name} ${version}`),
    comment(`Made by ${madeBy}. For psql, on a direct connection (not through a pooler): psql --no-psqlrc --file <this file>`),
    '-- It stops at the first error. What was committed until then is in the history; the next script, or boot, starts from there.',
    '-- verify() of migrations, hooks and checks are not run by it.',
  ].join('\n');
}

/** A line that cannot become anything else. */
export function comment(text: string): string {
  return `-- ${text.replaceAll(/\s+/g, ' ').trim()}`;
}

/** How psql is to run it, and what the session is set to. */
export function renderSettings(request: ScriptRequest): string {
  return [
    '\\set ON_ERROR_STOP on',
    '\\set AUTOCOMMIT on',
    '\\set ON_ERROR_ROLLBACK off',
    '\\encoding UTF8',
    renderSessionSettings(request),
  ].join('\n');
}

/**
 * What the session is set to, at first and again after each migration. The search_path is that of the option, or of the application's knex.
 */
export function renderSessionSettings({ call }: Pick<ScriptRequest, 'call'>): string {
  const { client } = (call.config.knex ?? {}) as { client?: { config?: { searchPath?: string | string[] } } };
  const path = [call.config.searchPath ?? client?.config?.searchPath ?? []].flat().map(identifier);
  return [
    "set client_encoding = 'UTF8';",
    'set client_min_messages = warning;',
    `set lock_timeout = ${literal(lockTimeout)};`,
    'set statement_timeout = 0;',
    "set default_transaction_isolation = 'read committed';",
    'set default_transaction_read_only = off;',
    'set synchronous_commit = on;',
    ...(path.length > 0 ? [`set search_path = ${path.join(', ')};`] : []),
  ].join('\n');
}
