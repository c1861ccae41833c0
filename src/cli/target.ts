import type { Target } from '../plan.js';

/** Reads a target as people write it: `head`, `base`, `+2`, `-1`, or a revision. */
export function readTarget(text: string): Target {
  if (text === 'head' || text === 'base') return text;
  return /^[+-]\d+$/.test(text) ? { steps: Math.abs(Number(text)) } : { to: text };
}
