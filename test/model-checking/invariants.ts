import { isAlone, isBegun, isOpen, newcomer, type State } from './state.js';
import { after, type Move } from './moves.js';
import type { Rules } from './rules.js';

/** What must not be, in a state or in the move that led to it; undefined: all is as it must be. */
export function wrongWith(before: State, move: Move, state: State): string | undefined {
  const migrations = Object.keys(state.effects);
  if (!migrations.join('').startsWith(state.history)) return `the history is ${state.history}`;
  for (const each of migrations) {
    const [times, recorded] = [state.effects[each] ?? 0, state.history.includes(each) ? 1 : 0];
    const isWrong = isAlone(each) && isOpen(state, each) ? times < 0 || times > 1 : times !== recorded;
    if (isWrong) return `${each} ran ${times} times, and is recorded ${recorded} times`;
  }
  if (!move.startsWith('hear ')) return undefined;
  const run = Number(move.split(' ')[1]);
  if (state.history !== before.history && before.holder !== run) return `${run} writes the history without the lock`;
  const { client, way } = state.processes[run - 1] as State['processes'][number];
  const isAtHead = state.history.length === migrations.length && !migrations.some((each) => isOpen(state, each));
  return client === 'ready' && way === 'up' && !isAtHead ? `${run} is ready, and the history is ${state.history || 'empty'}` : undefined;
}

/** Once all have gone, another boot must come to head, or refuse where a migration was left half-way: it is neither kept out nor wrong. */
export function wrongAfterAll(state: State, rules: Rules): string | undefined {
  const run = state.processes.length + 1;
  let now: State = { ...state, processes: [...state.processes, newcomer('up', run)] };
  for (let limit = 40; now.processes.at(-1)?.backend === 'alive'; limit--) {
    if (limit === 0) return 'the next boot never ends';
    now = after(now, `hear ${run}`, rules);
  }
  const what = wrongWith(now, 'none', now);
  if (what !== undefined) return `after the next boot ${what}`;
  const end = now.processes.at(-1)?.client;
  const isHalfway = Object.values(state.journal).some(isBegun);
  return end === 'ready' || (end === 'refused' && isHalfway) ? undefined : `the next boot is ${end}`;
}
