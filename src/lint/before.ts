import { isStronger, lockModes, type LockMode } from '../lock-mode.js';
import type { Action, ActionOf } from './actions/index.js';
import type { Relation } from './catalog/index.js';
import type { TableEffect } from './effects/index.js';

/** What a transaction has done so far: it holds those locks. Kept by what rules ask for, since it may be long and is asked with each action. */
export class Before {
  private readonly actions = new Map<Action['kind'], Action[]>();
  /** By mode: on which tables a stronger one is held. */
  private readonly above = new Map(lockModes.map((mode) => [mode, new Map<Relation, TableEffect>()]));
  /** The strongest mode on each table, also on partitions of one that was named. */
  readonly strongest = new Map<Relation, LockMode>();

  add(action: Action, effects: readonly TableEffect[]): void {
    const { kind } = action;
    const alike = this.actions.get(kind);
    if (alike) alike.push(action);
    else this.actions.set(kind, [action]);
    for (const effect of effects) this.hold(effect);
  }

  /** Its actions of a kind, in their order. */
  of<Kind extends Action['kind']>(kind: Kind): readonly ActionOf<Kind>[] {
    return (this.actions.get(kind) ?? []) as ActionOf<Kind>[];
  }

  /** The strongest lock above a mode that it holds on each table that a statement has named. */
  heldAbove(mode: LockMode): TableEffect[] {
    return [...(this.above.get(mode)?.values() ?? [])];
  }

  private hold(effect: TableEffect): void {
    const { relation, mode, through } = effect;
    if (isStronger(mode, this.strongest.get(relation))) this.strongest.set(relation, mode);
    if (through !== undefined) return;
    for (const [weaker, held] of this.above)
      if (isStronger(mode, weaker) && isStronger(mode, held.get(relation)?.mode)) held.set(relation, effect);
  }
}
