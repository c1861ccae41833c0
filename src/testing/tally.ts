/** What the databases of one test file did. It rides in the `meta` of the file, which vitest carries to its main process and no reporter of its own prints. */
export interface Tally {
  databaseCount: number;
  /** How long each reset took. */
  readonly resetsMs: number[];
}

const key = 'ensure-migrated';

type Meta = Record<string, unknown>;

/** The tally of a file for the database of this name: an empty one at first. */
export function openTally(meta: object, name: string): Tally {
  const tallies = ((meta as Meta)[key] ??= {}) as Record<string, Tally>;
  return (tallies[name] ??= { databaseCount: 0, resetsMs: [] });
}

/** The tallies of a file, by the name of the database. */
export function talliesOf(meta: object): [name: string, tally: Tally][] {
  return Object.entries(((meta as Meta)[key] ?? {}) as Record<string, Tally>);
}

/** Resets, and notes how long that took. */
export async function timed(tally: Tally, reset: () => Promise<unknown>): Promise<void> {
  const begunAt = performance.now();
  await reset();
  tally.resetsMs.push(Math.round((performance.now() - begunAt) * 10) / 10);
}
