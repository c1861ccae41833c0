import { major } from '../../support/majors.js';
import { routines, sequences, types, views } from './code.js';
import { constraints, indexes } from './constraints.js';
import { comments, others, rights } from './rights.js';
import { columns, tables } from './tables.js';

const rows = [tables, columns, constraints, indexes, views, sequences, routines, types, rights, comments, others].flat();

/** Every change that the server under test knows: the change, what takes it back, what the difference must say. */
export const changes = rows
  .filter(([, , , since = 14]) => since <= major)
  .map(([change, undo, expected]) => [change, undo, [expected].flat().sort()] as const);
