import type { Finding } from '../finding.js';
import { blockersOlderThan } from './blockers.js';
import { answer, type Asked, type BuiltInCheck, type CheckInput } from './check.js';
import { extensionUnavailable } from './extension-unavailable.js';
import { freeConnections } from './free-connections.js';
import { identity } from './identity.js';
import { invalidIndex } from './invalid-index.js';
import { migrationNoDown } from './migration-no-down.js';
import { notWritable } from './not-writable.js';
import { pooler } from './pooler.js';
import { guarded } from '../session/index.js';
import { rolePrivileges } from './role-privileges.js';
import { searchPathAmbiguous } from './search-path-ambiguous.js';
import { readServer, type Server } from './server.js';
import { serverSettings } from './server-settings.js';
import { serverVersion } from './server-version.js';
import { sourceKnexInvisible } from './source-knex-invisible.js';
import { sqlNonTransactional } from './sql-non-transactional.js';
import { sqlTransactionControl } from './sql-transaction-control.js';
import { runUserCheck } from './user-check.js';

/** Every check of ours, in the order in which they are asked and reported. */
export const builtInChecks: readonly BuiltInCheck[] = [
  identity,
  serverVersion,
  notWritable,
  pooler,
  searchPathAmbiguous,
  rolePrivileges,
  serverSettings,
  freeConnections,
  migrationNoDown,
  sourceKnexInvisible,
  sqlTransactionControl,
  sqlNonTransactional,
  extensionUnavailable,
  blockersOlderThan(60),
  invalidIndex,
];

/** See index.ts. */
export async function runAll(input: CheckInput): Promise<readonly Finding[]> {
  const asked = askedOf(input);
  const findings: Finding[] = [];
  for (const check of builtInChecks) findings.push(...(await answer(check, asked)));
  for (const check of input.call.config.checks) findings.push(...(await runUserCheck(check, input)));
  return findings;
}

/** Gives a check its ways to ask. */
export function askedOf(input: CheckInput): Asked {
  const query = guarded(input.session);
  let server: Promise<Server> | undefined;
  return { ...input, query, readServer: async () => await (server ??= readServer(query)) };
}
