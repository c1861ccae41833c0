/** The questions that are asked before the first change. The only door of this room. */
import type { Finding } from '../finding.js';
import type { CheckInput } from './check.js';

export { judge, type CheckInput, type Found } from './check.js';
export { checkIdentity } from './identity.js';
export { describeInvalidIndex, invalidIndexSql, type InvalidIndex } from './invalid-index.js';

/**
 * Asks all questions, the user's after ours, and gives what they found together; none is asked whose rule is off. Runs on the one
 * connection, in a transaction only where one is open (behind a pooler); the user's in a read-only one. Writes nothing.
 * Throws EM_LOST_SESSION and EM_ABORTED; whatever else fails is a finding.
 */
export async function runChecks(input: CheckInput): Promise<readonly Finding[]> {
  return await (await import('./run.js')).runAll(input);
}
