import { isWider, splitType } from '../effects/index.js';

// One is read as the other by pg, and takes all its values: both are numbers, or both strings.
const widened: Readonly<Record<string, readonly string[]>> = {
  smallint: ['integer'],
  real: ['double precision'],
  text: ['character varying'],
  'character varying': ['text'],
};

/**
 * Whether older code feels a change of type, both as format_type writes them. Not where a type only gets wider within its family: its values are
 * handed out as before, and all that it could write fits. integer to bigint is felt: pg hands out a bigint as a string. char(n) to text too: the blanks
 * are gone; timestamp to timestamptz: the same text is another instant; json to jsonb: its functions are others.
 */
export function isFelt(before: string, after: string): boolean {
  const [from, to] = [splitType(before), splitType(after)];
  if (from.name === to.name) return !isWider(from, to);
  return to.modifiers.length > 0 || !(widened[from.name]?.includes(to.name) ?? false);
}
