import { Turn } from './protocol.js';
import { asItIs, type Rules } from './rules.js';
import type { Process, State } from './state.js';

/**
 * What happens next: `hear 1` is that the server hears the message of process 1, `die`, `stop` and `lose` are as in {@link Turn}, `notice` is that the server ends
 * the session of one that is dead, `sever` that of one that lives (its lease, an operator), and `crash` all of them.
 */
export type Move = string;
export const faults = ['die', 'sever', 'stop', 'lose', 'crash'] as const;
export type Fault = (typeof faults)[number];

/** What may happen in a state. */
export function movesOf(state: State, possible: readonly Fault[]): Move[] {
  const moves = state.processes.flatMap((each) => movesOfOne(state, each, possible).map((what) => `${what} ${each.run}`));
  return moves.length > 0 && possible.includes('crash') ? [...moves, 'crash'] : moves;
}

function movesOfOne(state: State, process: Process, possible: readonly Fault[]): string[] {
  if (process.backend === 'gone') return [];
  const hear = process.at === '' || waits(state, process) ? [] : ['hear'];
  if (process.client === 'dead') return [...hear, 'notice'];
  const mayLose = state.holder === process.run && /^(body|announce|statement|record) /.test(process.at); // code that is not ours is at work
  const isPossible = { die: true, sever: true, stop: !process.isStopping, lose: mayLose, crash: false };
  return [...hear, ...possible.filter((each) => isPossible[each])];
}

// To clear knex's lock row takes until whoever is about to claim it has done so: the table is locked.
function waits({ processes }: State, { run, at, isClaimed }: Process): boolean {
  return at === 'release' && isClaimed && processes.some((each) => each.run !== run && each.transaction === 'claim');
}

export function after(state: State, move: Move, rules: Rules = asItIs): State {
  const [what = '', run = ''] = move.split(' ');
  if (what === 'crash') return state.processes.reduce((before, each) => new Turn(before, each.run, rules).endSession(), state);
  const turn = new Turn(state, Number(run), rules);
  return what === 'notice' || what === 'sever' ? turn.endSession() : turn[what as 'hear']();
}
