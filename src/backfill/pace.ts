/** Rows of a batch: more would sit in the memory of whoever works on them. */
export const mostRows = 50_000;

/** The size of the next batch, after one of so many rows took so long. It at most doubles, and at most halves. Pure. */
export function nextSize(size: number, { ms, targetMs }: { readonly ms: number; readonly targetMs: number }): number {
  const factor = Math.min(2, Math.max(0.5, targetMs / Math.max(ms, 1)));
  return Math.min(mostRows, Math.max(1, Math.round(size * factor)));
}

/** The size after a batch that had to be taken back. Pure. */
export function halved(size: number): number {
  return Math.max(1, Math.floor(size / 2));
}
