/** What is known of how older releases live with a migration. */
export interface Judged {
  readonly compatible: boolean;
  /** What the lint saw that they cannot live with. */
  readonly breaks: readonly string[];
  readonly exactness: 'exact' | 'approximate' | 'opaque';
  /** Whether the lint has looked. */
  readonly linted: boolean;
}

/** A sentence on how older releases live with a migration: nothing to say where they can, and nobody doubts it. */
export function breakingText({ compatible, breaks, exactness, linted }: Judged): string | undefined {
  if (compatible)
    return breaks.length > 0 ? `older releases can run on it, as its config says, although it ${breaks.join(', ')}` : undefined;
  if (breaks.length > 0) return `older releases cannot live with it: it ${breaks.join(', ')}`;
  const why = !linted
    ? 'its config says so, or nobody has looked, since `lint` is false'
    : exactness === 'opaque'
      ? 'not all of it is known'
      : 'its config says so';
  return `counts as one that older releases cannot live with: ${why}`;
}
