import { counted } from './counted.js';
import { MigrationError } from './errors.js';
import type { Target } from './plan.js';
import { migrationId, recordedName, type Migration } from './source/index.js';
import { recordedAmong, squashedIn } from './squashed.js';
import { findRevision, type State } from './state.js';

/** What a stamp does to the history, decided before anything is written. Names are as the history has them. */
export interface Stamping {
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Get a row. */
  readonly recorded: readonly Recorded[];
  /** Lose their rows: what is beyond the target, and, when purging, what is not among the files. */
  readonly unrecorded: readonly string[];
  /** When purging: the names under which one migration stands in the history; the oldest row stays. */
  readonly repeated: readonly (readonly string[])[];
  /** Keep their rows, which are written anew, since what is recorded comes before them. */
  readonly moved: readonly string[];
}

export interface Recorded {
  readonly name: string;
  readonly migration: Migration;
}

export interface StampingRequest {
  readonly target: Target;
  /** `purge`: names that are not among the files, and second rows of one migration, are taken out. */
  readonly history: 'must-be-empty' | 'must-be-sound' | 'purge';
  readonly state: Pick<State, 'applied' | 'ahead' | 'missing' | 'duplicates'>;
  readonly migrations: readonly Migration[];
}

/**
 * Decides which migrations are recorded and unrecorded so that the history ends at the target. Pure; throws EM_PLAN_REFUSED for a target that
 * is none, and, unless it is to be purged, for a history that has names of no file, or a migration twice.
 */
export function planStamp(request: StampingRequest): Stamping {
  const { state, migrations } = request;
  if (request.history === 'must-be-empty') refuseHistory(state);
  if (request.history === 'must-be-sound') refuseUnsound(state);
  const { standing, accounted } = squashedIn(migrations, state.applied);
  const chosen = recordedAmong(migrations, countOf(request));
  const wanted = chosen.filter(({ id }) => !standing.has(id));
  const standFor = chosen
    .filter(({ id }) => standing.has(id))
    .flatMap(({ replaces = [] }) => replaces.filter(({ id }) => accounted.has(id)));
  const ids = new Set([...wanted, ...standFor].map(({ id }) => id));
  const forms = formsOf(state.applied);
  const kept = [...forms].filter(([id]) => ids.has(id)).map(([, [name = '']]) => name);
  const files = migrations.map(({ name }) => name);
  const recorded = wanted
    .filter(({ id }) => !forms.has(id))
    .map((migration) => ({ migration, name: recordedName(migration.name, state.applied, files) }));
  const after = orderOf(kept, recorded, wanted);
  const firstNew = after.findIndex((name) => recorded.some((each) => each.name === name));
  return {
    before: state.applied,
    after,
    recorded,
    unrecorded: [...forms].filter(([id]) => !ids.has(id)).flatMap(([, names]) => [...new Set(names)]),
    repeated: [...forms].filter(([id, names]) => ids.has(id) && names.length > 1).map(([, names]) => [...new Set(names)]),
    moved: firstNew < 0 ? [] : after.slice(firstNew).filter((name) => kept.includes(name)),
  };
}

/** Whether the history stays as it is. Pure. */
export function changesNothing({ recorded, unrecorded, repeated }: Stamping): boolean {
  return recorded.length + unrecorded.length + repeated.length === 0;
}

// By id, in the order of the history, the names of its rows.
function formsOf(applied: readonly string[]): Map<string, string[]> {
  const forms = new Map<string, string[]>();
  for (const name of applied) forms.set(migrationId(name), [...(forms.get(migrationId(name)) ?? []), name]);
  return forms;
}

// The order in which they ran is kept where that is possible: what is recorded comes last, or else all in the order of the files.
function orderOf(kept: readonly string[], recorded: readonly Recorded[], wanted: readonly Migration[]): string[] {
  const place = new Map(wanted.map(({ id }, index) => [id, index]));
  const placeOf = (name: string) => place.get(migrationId(name)) ?? -1;
  const first = Math.min(...recorded.map(({ name }) => placeOf(name)));
  const all = [...kept, ...recorded.map(({ name }) => name)];
  return kept.every((name) => placeOf(name) < first) ? all : all.sort((one, other) => placeOf(one) - placeOf(other));
}

// How many of the files the target leaves applied.
function countOf({ target, migrations }: StampingRequest): number {
  if (target === 'head') return migrations.length;
  if (target === 'base') return 0;
  if ('to' in target) return migrations.indexOf(findRevision(target.to, migrations, 'the target')) + 1;
  throw refused('a stamp takes no number of steps', 'Give the name of the revision, head or base.');
}

/** Throws EM_PLAN_REFUSED where there is something in the history. Pure. */
export function refuseHistory({ applied }: Pick<State, 'applied'>): void {
  if (applied.length === 0) return;
  throw refused(
    `this database has a history: ${counted(applied.length, 'migration')}, the last is ${applied.at(-1)}`,
    'Use stamp to move it.',
  );
}

function refuseUnsound({ ahead, missing, duplicates }: StampingRequest['state']): void {
  const unknown = [...missing, ...ahead];
  if (unknown.length + duplicates.length === 0) return;
  const faults = [
    ...(unknown.length > 0 ? [`names that are not among the files: ${unknown.join(', ')}`] : []),
    ...(duplicates.length > 0 ? [`rows that repeat others: ${duplicates.join(', ')}`] : []),
  ];
  const remedy = 'Put the files back, or stamp with purge: the rows go, and what those migrations have done to the schema stays.';
  throw refused(`the history has ${faults.join('; ')}`, remedy);
}

function refused(message: string, remedy: string): MigrationError {
  return new MigrationError('EM_PLAN_REFUSED', message, { remedy: `${remedy} Nothing was changed.` });
}
