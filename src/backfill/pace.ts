/** Rows of a batch: more would sit in the memory of whoever works on them. */
export const mostRows = 50_000;

// Its round trips take longer than some targets, and a batch that is over at once holds nobody up.
const shortMs = 50;
const leastOfShort = 100;

/** The size of the next batch, after one of so many rows took so long: at most twice, at least half of it. Pure. */
export function nextSize(size: number, { ms, targetMs }: { readonly ms: number; readonly targetMs: number }): number {
  const factor = Math.min(2, Math.max(0.5, targetMs / Math.max(ms, 1)));
  const least = ms < shortMs ? Math.min(size * 2, leastOfShort) : 1;
  return Math.min(mostRows, Math.max(least, Math.round(size * factor)));
}

/** The size after a batch that had to be taken back. Pure. */
export function halved(size: number): number {
  return Math.max(1, Math.floor(size / 2));
}
