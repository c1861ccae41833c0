import type { Verb } from './verb.js';
import { adopting } from './verbs/adopting.js';
import { backfilling } from './verbs/backfilling.js';
import { foretelling } from './verbs/foretelling.js';
import { keeping } from './verbs/keeping.js';
import { looking } from './verbs/looking.js';
import { making } from './verbs/making.js';
import { mending } from './verbs/mending.js';
import { modelling } from './verbs/modelling.js';
import { moving } from './verbs/moving.js';

/** Every verb of the command line, in the order in which --help and docs/commands.md list them. */
export const verbs: readonly Verb[] = [
  ...making,
  ...modelling,
  ...moving,
  ...backfilling,
  ...foretelling,
  ...looking,
  ...adopting,
  ...mending,
  ...keeping,
];
