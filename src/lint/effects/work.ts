import type { LockMode } from '../../lock-mode.js';
import type { Relation } from '../catalog/index.js';
import type { Proof } from './partition-bound.js';

/** Reads a table from end to end, writes it anew, builds an index over it, or changes rows of it. */
export type Work = 'scan' | 'rewrite' | 'index' | 'rows';

export interface TableEffect {
  readonly relation: Relation;
  readonly mode: LockMode;
  readonly work?: Work | undefined;
  /** Only the database, or the server when it runs, could tell whether there is such work: it is taken for granted. */
  readonly doubtful?: true | undefined;
  /** The partitioned table that the statement names, where this is one of its partitions. */
  readonly through?: Relation;
}

/** What is done under a lock, and whether it is certain. */
export type PossibleWork = Pick<TableEffect, 'work' | 'doubtful'>;

/** The scan is certain where the facts say so, and doubtful where there are none, or none that tell. */
export function scanUnless(proof: Proof, { state }: Relation): PossibleWork {
  if (proof === 'proven') return {};
  return state === 'unknown' || proof === 'unknown' ? { work: 'scan', doubtful: true } : { work: 'scan' };
}

const weight: readonly (Work | undefined)[] = [undefined, 'rows', 'scan', 'index', 'rewrite'];

/** The heaviest of several, which are done in one go. */
export function heaviest(works: readonly PossibleWork[]): PossibleWork {
  const [first] = [...works].sort((a, b) => weight.indexOf(b.work) - weight.indexOf(a.work));
  return { work: first?.work, doubtful: first?.doubtful };
}
