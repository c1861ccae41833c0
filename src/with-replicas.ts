import type { Finding } from './finding.js';
import type { Outcome } from './outcome.js';
import type { Opened } from './run-call.js';

/**
 * Does the work of a call between two looks at the replicas: before it, where something is `pending`, each has to be a standby of this primary;
 * after it, each has to show what the work came to. Writes nothing and takes no lock itself; throws EM_CHECK_FAILED and EM_REPLICA_BEHIND.
 */
export async function withReplicas(opened: Opened, found: 'in-sync' | 'pending', work: () => Promise<Outcome>): Promise<Outcome> {
  const { replicas, mode } = opened.call.config;
  if (replicas.length === 0) return await work();
  const { checkReplicas, waitForReplicas } = await import('./replicas/index.js'); // a room that is entered only where there are replicas
  if (found === 'pending' && mode !== 'verify') await checkReplicas(opened); // `verify` refuses what is pending whatever the replicas are
  return await waitForReplicas(opened, await work(), found);
}

/** What is wrong with who the replicas are, for whoever only tells of it: that which a boot refuses before its first change. Writes nothing. */
export async function findWrongReplicas(opened: Opened): Promise<readonly Finding[]> {
  if (opened.call.config.replicas.length === 0) return [];
  const wrong = await (await import('./replicas/index.js')).identifyReplicas(opened);
  return wrong.flatMap(({ finding }) => (finding ? [finding] : []));
}
