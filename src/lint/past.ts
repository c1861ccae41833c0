import type { Action, ActionOf } from './actions/index.js';
import { Before } from './before.js';
import type { Catalog, KnownFacts } from './catalog/index.js';
import { effectsOf, type TableEffect } from './effects/index.js';

/** `end`: a migration has ended; `stands`: one whose work was there before. `transaction`: what came before holds no locks any more. */
type Entry = Action | 'end' | 'stands' | 'transaction';

/** The database as all that came before has left it, and what the open transaction has done. It can go back to a savepoint. */
export class Past {
  catalog: Catalog;
  /** To code that is older than a migration what earlier ones have made is as good as what was always there. */
  older: Catalog;
  before = new Before();
  private entries: Entry[] = [];
  private savepoints: { readonly name: string; readonly length: number }[] = [];

  constructor(
    private readonly known: KnownFacts,
    private readonly released: 'together' | 'apart',
  ) {
    [this.catalog, this.older] = this.asAsked();
  }

  private asAsked(): [catalog: Catalog, older: Catalog] {
    const catalog = this.known.catalog();
    return [catalog, this.released === 'apart' ? catalog : this.known.catalog()];
  }

  get catalogs(): readonly Catalog[] {
    return this.catalog === this.older ? [this.catalog] : [this.catalog, this.older];
  }

  add(entry: Entry, effects?: readonly TableEffect[]): void {
    this.entries.push(entry);
    this.take(entry, effects);
    if (entry === 'transaction') this.savepoints = [];
    else if (typeof entry === 'object' && entry.kind === 'transaction') this.follow(entry);
  }

  private follow({ how, name = '' }: ActionOf<'transaction'>): void {
    if (how === 'savepoint') this.savepoints.push({ name, length: this.entries.length });
    else if (how === 'rollback-to') this.backTo(name);
  }

  private take(entry: Entry, effects?: readonly TableEffect[]): void {
    if (entry === 'transaction') this.before = new Before();
    else if (entry === 'end' || entry === 'stands') this.end(entry);
    else {
      this.before.add(entry, effects ?? effectsOf(entry, this.catalog));
      for (const catalog of this.catalogs) catalog.advance(entry);
    }
  }

  private end(how: 'end' | 'stands'): void {
    for (const catalog of this.catalogs) catalog.endMigration();
    this.older.forgetBirths();
    if (how === 'stands' && this.catalog !== this.older) this.catalog.forgetBirths();
  }

  // What was done since is undone, and the locks that were taken for it are given back. Where there is no such savepoint the server fails.
  private backTo(name: string): void {
    const index = this.savepoints.findLastIndex((each) => each.name === name);
    const savepoint = this.savepoints[index];
    if (savepoint === undefined) return;
    this.savepoints = this.savepoints.slice(0, index + 1);
    this.entries = this.entries.slice(0, savepoint.length);
    [this.catalog, this.older] = this.asAsked();
    this.before = new Before();
    for (const entry of this.entries) this.take(entry);
  }
}
