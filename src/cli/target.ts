import { MigrationError } from '../errors.js';
import type { Target } from '../plan.js';

/**
 * Reads a target as people write it: `head`, `base`, a revision, or a number of steps with the sign of the verb's direction. Throws
 * EM_PLAN_REFUSED for the other sign: whoever types `upgrade -1` at night wants to go back.
 */
export function readTarget(text: string, sign: '+' | '-' = '+'): Target {
  if (text === 'head' || text === 'base') return text;
  if (!/^[+-]\d+$/.test(text)) return { to: text };
  if (text.startsWith(sign)) return { steps: Number(text.slice(1)) };
  const [verb, other] = sign === '+' ? ['upgrade', 'downgrade'] : ['downgrade', 'upgrade'];
  throw new MigrationError('EM_PLAN_REFUSED', `'${text}' is the way of ${other}, and this is the way of ${verb}`, {
    remedy: `Give ${sign}${text.slice(1)}, or use ${other}. Nothing was changed.`,
  });
}
