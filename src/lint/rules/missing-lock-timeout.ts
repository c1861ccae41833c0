import { isStronger } from '../../lock-mode.js';
import type { Action, ActionOf } from '../actions/index.js';
import { lockingKinds } from '../effects/index.js';
import { defineRule, type Judging } from '../rule.js';
import { commandWords, tableWords } from '../words.js';

export const missingLockTimeout = defineRule({
  id: 'missing-lock-timeout',
  on: lockingKinds(),
  spares: 'born',
  find(action, at) {
    const { effects, statement, before } = at;
    const effect = effects.find(isStrong);
    if (effect === undefined || !isTurnedOff(action, at) || [...before.strongest].some(([relation, mode]) => isStrong({ relation, mode })))
      return undefined;
    return {
      table: effect.relation,
      message: `${commandWords(statement.sql)} locks ${tableWords(effect.relation)} in ${effect.mode} mode with lock_timeout 0: while it waits behind a long read, all that comes later waits behind it`,
      remedy: 'Leave lock_timeout alone: a migration lets others wait for `timeouts.harmMs` at most, and tries again.',
    };
  },
});

function isStrong({ relation, mode }: Pick<Judging['effects'][number], 'relation' | 'mode'>): boolean {
  return isStronger(mode, 'SHARE UPDATE EXCLUSIVE') && (relation.state === 'old' || relation.state === 'unknown');
}

// What is set outside of a transaction outlives its statement.
function isTurnedOff(action: Action, { step, before }: Judging): boolean {
  const isMeant = ({ name }: ActionOf<'set'>) => name === 'lock_timeout' || name === 'all';
  const earlier = step.actions.slice(0, Math.max(0, step.actions.indexOf(action))).filter((each) => each.kind === 'set');
  const last = before.of('set').findLast(isMeant) ?? earlier.findLast(isMeant);
  return /^0+\s*(us|ms|s|min|h|d)?$/.test(last?.values[0] ?? '');
}
