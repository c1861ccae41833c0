/** Everything of a database and its processes that the protocol depends on. A migration is a letter; upper case: outside a transaction. */
export interface State {
  /** What is recorded, in order. */
  readonly history: string;
  /** For each migration: how often its `up` stays in the database, less its `down`s. */
  readonly effects: Readonly<Record<string, number>>;
  /** The journal's last word on each migration outside a transaction. */
  readonly journal: Readonly<Record<string, Word>>;
  readonly owner: { readonly state: 'clear' | 'failed' | 'active'; readonly run: number };
  /** Whose claim has set knex's lock row; 0: nobody's. */
  readonly flag: number;
  /** Whose backend holds the advisory lock; 0: nobody's. */
  readonly holder: number;
  readonly processes: readonly Process[];
}

export interface Word {
  readonly status: 'none' | 'started' | 'unfinished' | 'undone' | 'done';
  readonly way: Way;
  /** Whether a statement was announced, and not refused, since the migration was last settled. */
  readonly sent: boolean;
}

/** A boot, or a downgrade by one migration. */
export type Way = 'up' | 'down';
export type End = 'ready' | 'refused' | 'failed' | 'lost' | 'aborted';

export interface Process {
  /** From 1. */
  readonly run: number;
  readonly way: Way;
  /** `dead`: it says nothing any more, and its backend may not have noticed. */
  readonly client: 'alive' | 'dead' | End;
  readonly backend: 'alive' | 'gone';
  /** The message that is on its way, and the migration that it is of; empty: none. */
  readonly at: string;
  /** What is open on the backend: `claim`, or a migration. */
  readonly transaction: string;
  /** The history that it goes by, what is left to do, what its end will be. */
  readonly seen: string;
  readonly plan: string;
  readonly ending: End;
  readonly isClaimed: boolean;
  readonly isStopping: boolean;
}

/** What a process remembers before it has read anything, and what of it matters once it has ended. */
export const nothing = { seen: '', plan: '', ending: 'ready', isClaimed: false, isStopping: false } as const;

export function start(migrations: string, ways: readonly Way[], history = ''): State {
  const letters = [...migrations];
  return {
    history,
    effects: Object.fromEntries(letters.map((each) => [each, history.includes(each) ? 1 : 0])),
    journal: Object.fromEntries(letters.filter(isAlone).map((each) => [each, { status: 'none', way: 'up', sent: false }])),
    owner: { state: 'clear', run: 0 },
    flag: 0,
    holder: 0,
    processes: ways.map((way, index) => newcomer(way, index + 1)),
  };
}

export function newcomer(way: Way, run: number): Process {
  return { run, way, client: 'alive', backend: 'alive', at: 'look', transaction: '', ...nothing };
}

export function isAlone(migration: string): boolean {
  return migration < 'a';
}

/** Whether something of it may be in the database, or not: it was announced, and nobody has said what became of that. */
export function isOpen({ history, journal }: State, migration: string): boolean {
  const word = journal[migration];
  return word !== undefined && word.sent && isBegun(word) && history.includes(migration) === (word.way === 'down');
}

export function isBegun({ status }: Word): boolean {
  return status === 'started' || status === 'unfinished';
}

/** Equal for equal states. */
export function keyOf(state: State): string {
  const people = state.processes.map((each) => Object.values(each).join());
  return `${databaseKeyOf(state)}|${state.holder}|${people.join('|')}`;
}

/** Of what is left when all have gone. */
export function databaseKeyOf({ history, effects, journal, owner, flag }: State): string {
  const words = Object.values(journal).map(({ status, way, sent }) => `${status},${way},${sent}`);
  return `${history}|${Object.values(effects).join()}|${words.join()}|${owner.state},${owner.run}|${flag}`;
}
