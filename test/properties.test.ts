import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isMigrationError } from '../src/errors.js';
import { errorsOf } from '../src/finding.js';
import { digestOf } from '../src/history/index.js';
import { planUpgrade, selectApplied, selectPending, type Target } from '../src/plan.js';
import { migrationId, type LoadedMigration, type Migration } from '../src/source/index.js';
import type { State } from '../src/state.js';
import { comparing, entry, migration, owner } from './comparing.js';

const numRuns = 500;

/** One database under many releases: what is on record, and what was really done to it, each thing by the number of times. */
interface Database {
  readonly files: readonly Migration[];
  readonly applied: readonly string[];
  readonly done: ReadonlyMap<string, number>;
}

type Change = (database: Database) => Database;

const empty: Database = { files: [], applied: [], done: new Map() };

/** What a migration does: a squash does all that it replaces. */
function deedsOf({ id, replaces = [] }: Migration): readonly string[] {
  return replaces.length > 0 ? replaces.filter(({ standsFor }) => standsFor === 'itself').map((each) => each.id) : [id];
}

function read({ files, applied }: Database): State {
  return comparing({ migrations: files, applied, journal: applied.map((name) => entry(name)), rules: { 'history-edited': 'off' } });
}

function did(done: Database['done'], deeds: readonly string[], by: 1 | -1): Database['done'] {
  const next = new Map(done);
  for (const deed of deeds) next.set(deed, (next.get(deed) ?? 0) + by);
  return next;
}

/** The steps to the target; none where the state or the plan refuses. */
function stepsTo(target: Target, database: Database) {
  const state = read(database);
  if (errorsOf(state.findings).length > 0) return [];
  const { applied, files } = database;
  const pending = refusing(() => selectPending(target, state, files)).map((each) => each as unknown as LoadedMigration);
  const loaded = pending.map((each) => ({ ...each, config: {}, up: () => undefined }));
  return planUpgrade({ pending: loaded, applied, migrations: files, transaction: 'each', disableTransactions: false, pooled: false }).steps;
}

function refusing<T>(select: () => readonly T[]): readonly T[] {
  try {
    return select();
  } catch (error) {
    if (isMigrationError(error, 'EM_PLAN_REFUSED')) return [];
    throw error;
  }
}

/** Runs the first so many of the steps: a process that was killed, then. */
function up(target: Target, killedAfter = Infinity): Change {
  return (database) => {
    const steps = stepsTo(target, database).slice(0, killedAfter);
    const deeds = steps.flatMap(({ migration: each }) => deedsOf(each as unknown as Migration));
    return { ...database, applied: [...database.applied, ...steps.map(({ name }) => name)], done: did(database.done, deeds, 1) };
  };
}

function down(target: Target, killedAfter: number): Change {
  return (database) => {
    const { files, applied, done } = database;
    const names = refusing(() => selectApplied(target, applied));
    const undone = names.map((name) => files.find(({ id }) => id === migrationId(name)));
    if (undone.some((file) => file === undefined)) return database; // there is no `down` to run: refused
    const count = Math.min(killedAfter, names.length);
    const deeds = undone.slice(0, count).flatMap((file) => (file ? deedsOf(file) : []));
    return { files, applied: applied.slice(0, applied.length - count), done: did(done, deeds, -1) };
  };
}

const sorted = (files: readonly Migration[]) => [...files].sort((a, b) => (a.name < b.name ? -1 : 1));

/** A release that brings a file: at the end, or in the middle, where branches were merged. */
const withFile =
  (name: string): Change =>
  (database) => {
    const isKnown = database.files.some(({ id, replaces }) => [id, ...(replaces ?? []).map((each) => each.id)].includes(migrationId(name)));
    return isKnown ? database : { ...database, files: sorted([...database.files, migration(name)]) };
  };

/** A build: what was .ts is .js from now on, or the other way round. */
const built =
  (extension: '.js' | '.ts'): Change =>
  (database) => ({
    ...database,
    files: database.files.map((file) =>
      file.replaces ? file : { ...migration(file.name.replace(/\.[jt]s$/, extension)), checksum: file.checksum },
    ),
  });

/** The first so many files become one; those that it replaces stay beside it, as `squash` leaves them. */
const squashed =
  (count: number): Change =>
  (database) => {
    const first = database.files.slice(0, count);
    const last = first.at(-1);
    if (first.length < 2 || last === undefined || first.some(({ replaces }) => replaces !== undefined)) return database;
    const name = `${last.id}_squash.sql`;
    // `migration-squashed-twice`: refused when the files are listed
    const isOverlapping = database.files.some(({ replaces = [] }) => replaces.some(({ id }) => first.some((each) => each.id === id)));
    if (isOverlapping || database.files.some((file) => file.name === name)) return database;
    const replaces = first.map((each) => ({ name: each.name, id: each.id, checksum: each.checksum, standsFor: 'itself' as const }));
    return { ...database, files: sorted([...database.files, { ...migration(name), replaces }]) };
  };

/** A later release leaves the replaced files out. */
const withoutReplaced: Change = (database) => {
  const replaced = new Set(database.files.flatMap(({ replaces }) => (replaces ?? []).map(({ id }) => id)));
  return { ...database, files: database.files.filter(({ id }) => !replaced.has(id)) };
};

const names = fc
  .tuple(fc.integer({ min: 10, max: 40 }), fc.constantFrom('.js', '.ts', '.sql'))
  .map(([number, extension]) => `${number}_m${extension}`);
const counts = fc.integer({ min: 1, max: 5 });
const targets: fc.Arbitrary<Target> = fc.oneof(
  fc.constant<Target>('head'),
  counts.map((steps) => ({ steps })),
  names.map((to) => ({ to })),
);
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: names.map(withFile) },
  { weight: 3, arbitrary: fc.tuple(targets, counts).map(([target, killedAfter]) => up(target, killedAfter)) },
  { weight: 1, arbitrary: fc.constant(up('head')) },
  { weight: 1, arbitrary: fc.tuple(fc.oneof(targets, fc.constant<Target>('base')), counts).map(([target, count]) => down(target, count)) },
  { weight: 1, arbitrary: fc.constantFrom(built('.js'), built('.ts')) },
  { weight: 1, arbitrary: counts.map((count) => squashed(count + 1)) },
  { weight: 1, arbitrary: fc.constant(withoutReplaced) },
);
const stories = fc.array(change, { maxLength: 30 });

const told = ({ files, applied, done }: Database) => ({ files: files.map(({ name }) => name), applied, done: Object.fromEntries(done) });

describe('over any history of releases, kills, downgrades and squashes', () => {
  test('nothing is ever done twice, or taken back that was not done', () => {
    fc.assert(
      fc.property(stories, (story) => {
        let database = empty;
        for (const next of story) {
          database = next(database);
          expect(
            [...database.done.values()].filter((count) => count !== 0 && count !== 1),
            JSON.stringify(told(database)),
          ).toEqual([]);
          expect(new Set(database.applied.map(migrationId)).size).toBe(database.applied.length);
        }
      }),
      { numRuns },
    );
  });

  test('a run to head leaves nothing undone that the code has, unless it is refused by name', () => {
    fc.assert(
      fc.property(stories, (story) => {
        const before = story.reduce((database, next) => next(database), empty);
        const after = up('head')(before);
        const state = read(after);
        if (errorsOf(read(before).findings).length > 0) expect(after.applied).toEqual(before.applied);
        else expect([state.inSync, state.pending]).toEqual([true, []]);
        if (!state.inSync) return;
        const deeds = after.files.flatMap(deedsOf);
        expect(
          deeds.filter((deed) => after.done.get(deed) !== 1),
          JSON.stringify(told(after)),
        ).toEqual([]);
      }),
      { numRuns },
    );
  });

  test('a run that was killed anywhere, and run again, ends where one that was not killed ends', () => {
    fc.assert(
      fc.property(stories, counts, (story, killedAfter) => {
        const before = story.reduce((database, next) => next(database), empty);
        expect(told(up('head')(up('head', killedAfter)(before)))).toEqual(told(up('head')(before)));
      }),
      { numRuns },
    );
  });
});

describe('over any history, also one that nobody can explain', () => {
  const files = fc.uniqueArray(names, { selector: migrationId, maxLength: 8 }).map((all) => sorted(all.map((name) => migration(name))));
  const histories = fc.array(names, { maxLength: 12 });

  test('each name of it has one answer, and each file of the code too', () => {
    fc.assert(
      fc.property(files, histories, (code, applied) => {
        const { pending, ahead, missing, duplicates } = comparing({ migrations: code, applied, journal: [] });
        const [known, rows] = [new Set(code.map(({ id }) => id)), new Set(applied.map(migrationId))];
        expect([...ahead, ...missing].sort()).toEqual(applied.filter((name) => !known.has(migrationId(name))).sort());
        expect(pending.map(({ id }) => id)).toEqual([...known].filter((id) => !rows.has(id)));
        expect(duplicates.length > 0).toBe(rows.size < applied.length);
      }),
      { numRuns },
    );
  });

  test('in sync means that nothing is pending, nothing is refused, and the last run ended well', () => {
    const states = fc.constantFrom('clear' as const, 'active' as const, 'failed' as const);
    fc.assert(
      fc.property(files, histories, states, fc.constantFrom('apply', 'wait', 'verify'), (code, applied, runState, mode) => {
        const state = comparing({ migrations: code, applied, journal: [], owner: { ...owner, state: runState }, mode: mode as 'apply' });
        if (state.inSync) expect([state.pending, errorsOf(state.findings), runState]).toEqual([[], [], 'clear']);
        else expect(state.pending.length + errorsOf(state.findings).length > 0 || runState !== 'clear').toBe(true);
      }),
      { numRuns },
    );
  });

  test('one letter of an applied file that was changed is noticed without the journal, and named with it', () => {
    fc.assert(
      fc.property(files, fc.nat(), (code, index) => {
        fc.pre(code.length > 0);
        const applied = code.map(({ name }) => name);
        const digest = digestOf(applied, (name) => code.find((each) => each.name === name)?.checksum);
        const [edited, recorded] = [code[index % code.length]?.name ?? '', applied.map((name) => entry(name))];
        const after = code.map((each) => (each.name === edited ? migration(edited, `js:changed`) : each));
        expect(comparing({ migrations: code, applied, journal: undefined, owner: { ...owner, digest } }).undecided).toBe(false);
        expect(comparing({ migrations: after, applied, journal: undefined, owner: { ...owner, digest } }).undecided).toBe(true);
        expect(comparing({ migrations: after, applied, journal: recorded }).edited).toEqual([edited]);
      }),
      { numRuns },
    );
  });
});
