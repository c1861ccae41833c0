import type { Call } from './call.js';
import { isMigrationError, MigrationError, withoutRemedy } from './errors.js';
import type { Finding } from './finding.js';
import { inSchema, schemaOf } from './history/index.js';
import { countChanged, differences, findingOf, missesOf, readBuilt, type Built, type Effect } from './likeness.js';
import { replay } from './replay.js';
import type { Opened } from './run-call.js';
import type { Change } from './schema/index.js';
import { withScratch } from './scratch.js';
import type { Session } from './session/index.js';
import type { Stamping } from './stamping.js';
import { migrationId, type Migration } from './source/index.js';
import { appliedAmong } from './squashed.js';

/** What the database says to a stamp. */
export interface Proof {
  /** `forced`: recorded against what the database says, or without having been able to ask it. */
  readonly status: 'proved' | 'forced';
  /** How many objects were compared: those that the stamped migrations make, change or drop. */
  readonly comparedCount: number;
  /** Where the schema is not as the stamp says that it is; and what could not be looked at. */
  readonly findings: readonly Finding[];
}

/** What a schema must be like for a history to be true. */
export interface Expected {
  /** How many objects are compared. */
  readonly comparedCount: number;
  readonly missesIn: (live: Built) => readonly Change[];
}

/** How one learns what to expect. Reads the role and the locale of the session's database, and nothing else of it. */
export type Learn = (opened: Opened, stamping: Stamping) => Promise<Expected>;

/**
 * Learns what the migrations of a stamp do, by running the files in their order in a scratch database: those before the first that is
 * recorded, then all up to the target, then those that are unrecorded. Throws EM_SCRATCH_UNAVAILABLE, and EM_REPLAY_FAILED where a fresh
 * database cannot be built from the files.
 */
export const learnEffects: Learn = async (opened, stamping) => {
  const recorded = new Set(stamping.recorded.map(({ migration: { id } }) => id));
  const wanted = wantedOf(opened, stamping);
  const base = wanted.slice(
    0,
    wanted.findIndex(({ id }) => recorded.has(id)),
  );
  const beyond = appliedAmong(opened.migrations, stamping.before).filter((migration) => !wanted.includes(migration));
  if (recorded.size + beyond.length === 0) return nothingExpected;
  const effects = await withBuilder(opened, async (build): Promise<Effect[]> => {
    const before = recorded.size > 0 ? await build(base) : undefined;
    const there = await build(wanted);
    const past = beyond.length > 0 ? await build([...wanted, ...beyond]) : undefined;
    return [before, past].flatMap((from) => (from ? [{ from, to: there }] : []));
  });
  const comparedCount = effects.reduce((sum, effect) => sum + countChanged(effect), 0);
  return { comparedCount, missesIn: (live) => effects.flatMap((effect) => missesOf(effect, live)) };
};

/** Learns what all migrations up to the target make of an empty database, of which nothing may be missing and to which nothing may be added. */
export const learnWhole: Learn = async (opened, stamping) => {
  const built = await withBuilder(opened, async (build) => await build(wantedOf(opened, stamping)));
  return { comparedCount: built.schema.lines.length, missesIn: (live) => differences(built, live) };
};

const nothingExpected: Expected = { comparedCount: 0, missesIn: () => [] };

function wantedOf({ migrations }: Opened, { after }: Stamping): readonly Migration[] {
  return appliedAmong(migrations, after);
}

type Build = (migrations: readonly Migration[]) => Promise<Built>;

async function withBuilder<T>({ call, session, tables, history }: Opened, work: (build: Build) => Promise<T>): Promise<T> {
  const schema = schemaOf(tables, history.facts);
  const ours = inSchema(tables, schema); // another schema may hold the history of another service
  return await withScratch({ call, session }, async (scratch) => {
    const look = async (built: Session) => await readBuilt(built, ours, lockTimeoutOf(call));
    return await work(async (migrations) => await replay({ call, scratch, migrations, schema }, look));
  });
}

/** Compares a database with what a stamp claims of it. Writes nothing. */
export async function prove({ call, session, tables, migrations }: Opened, expected: Expected, stamping: Stamping): Promise<Proof> {
  const { comparedCount, missesIn } = expected;
  const unseen = unseenOf(stamping, comparedCount > 0 ? new Set(migrations.map(({ id }) => id)) : new Set());
  if (comparedCount === 0) return { status: 'proved', comparedCount, findings: unseen };
  const misses = missesIn(await readBuilt(session, tables, lockTimeoutOf(call)));
  return { status: 'proved', comparedCount, findings: [...misses.map(findingOf), ...unseen] };
}

function lockTimeoutOf({ config }: Call): number {
  return config.timeouts.lockMs;
}

// They only write rows, say, or their files are gone: then what they did to the schema stays.
function unseenOf({ recorded, unrecorded }: Stamping, seen: ReadonlySet<string>): Finding[] {
  const names = [...recorded.map(({ name }) => name), ...unrecorded].filter((name) => !seen.has(migrationId(name)));
  if (names.length === 0) return [];
  const message = `the schema does not tell whether these ran: ${names.join(', ')}`;
  const remedy = 'Make sure of it by what they wrote; what migrations without files have made stays.';
  return [{ code: 'stamp-unseen', level: 'info', message, remedy }];
}

/** What is known when the proof could not be had. Rethrows what no force helps against. */
export function withoutProof(error: unknown): Proof {
  if (!isWant(error)) throw error;
  return {
    status: 'forced',
    comparedCount: 0,
    findings: [{ code: 'stamp-unproved', level: 'warn', message: `nothing was compared: ${withoutRemedy(error)}`, remedy: error.remedy }],
  };
}

/** The same error, which force would get over. */
export function advisingForce(error: unknown): unknown {
  if (!isWant(error)) return error;
  const { code, remedy, findings, cause } = error;
  const said = withoutRemedy(error);
  return new MigrationError(code, said, { remedy: `${remedy} Or stamp with force, which goes on record.`, findings, cause });
}

function isWant(error: unknown): error is MigrationError {
  return isMigrationError(error, 'EM_SCRATCH_UNAVAILABLE') || isMigrationError(error, 'EM_REPLAY_FAILED');
}
