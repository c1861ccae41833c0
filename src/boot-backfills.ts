import {
  definitionsIn,
  describeProgress,
  isUnfinished,
  readChanged,
  readUnfinished,
  shortOf,
  workToTheEnd,
  type BackfillProgress,
} from './backfill/index.js';
import type { Options } from './config/index.js';
import { findingsError, MigrationError, sqlStateOf } from './errors.js';
import { errorsOf, type Finding } from './finding.js';
import { resolved } from './history/index.js';
import { withBackfills, type Outcome, type UnfinishedBackfill } from './outcome.js';
import type { Opened } from './run-call.js';
import { migrationId } from './source/index.js';

/** What has come of a boot so far. */
export interface Booted {
  readonly outcome: Outcome;
  /** Who works in the background begins with the same; undefined for a verb, whose process is to end. */
  readonly options?: Options;
}

/**
 * Sees to the backfills of a database whose schema is ready, when the lock is let go: `blocking` works on them to their end, `background` starts somebody who
 * does, and all tell in the outcome what is not done. Modes other than `apply` only tell. Throws EM_BACKFILL_UNFINISHED where a blocking boot cannot get
 * them done; EM_LOST_SESSION, EM_ABORTED.
 */
export async function seeToBackfills(opened: Opened, { outcome, options }: Booted): Promise<Outcome> {
  const { call, migrations } = opened;
  const { mode, backfills: how } = call.config;
  const tables = resolved(opened);
  const unfinished = await readUnfinishedAsFar(opened);
  if (unfinished.length === 0) return outcome;
  if (mode !== 'apply') return withBackfills(outcome, unfinished.map(shortOf));
  const found = await findChanged(opened);
  if (errorsOf(found).length > 0) throw findingsError('EM_BACKFILL_UNFINISHED', 'this code cannot go on with what was begun', found);
  if (how === 'blocking') return withBackfills(outcome, (await finishBackfills(opened)).map(shortOf), found);
  if (how === 'background' && options) (await import('./background.js')).workInBackground({ options, tables, migrations });
  return withBackfills(outcome, unfinished.map(shortOf), found);
}

/**
 * Works on the backfills that this code's migrations have enqueued until they are done, and gives what is left: those of other releases. Throws
 * EM_BACKFILL_UNFINISHED where one has stopped.
 */
async function finishBackfills(opened: Opened): Promise<Awaited<ReturnType<typeof readUnfinished>>> {
  const { call, session, migrations } = opened;
  const tables = resolved(opened);
  const here = new Set(migrations.map(({ id }) => id));
  const isOurs = ({ migration }: BackfillProgress) => migration === null || here.has(migrationId(migration));
  const names = (await readUnfinished(session, tables)).filter(isOurs).map(({ name }) => name);
  if (names.length > 0) {
    const all = await workToTheEnd({ call, tables, names, definitionOf: definitionsIn(migrations) }, session);
    const left = all.filter(isUnfinished);
    if (left.length > 0) throw unfinishedError('the service is not ready before these backfills are done', left);
  }
  return await readUnfinished(session, tables);
}

/** What is not done, for whoever only tells of it: nothing where nobody has ever enqueued one, or where this role may not look. */
export async function readShort(opened: Opened): Promise<UnfinishedBackfill[]> {
  return opened.history.hasBackfills ? (await readUnfinishedAsFar(opened)).map(shortOf) : [];
}

function unfinishedError(what: string, left: readonly BackfillProgress[]): MigrationError {
  const lines = left.map((each) => `- ${each.name}: ${describeProgress(each)}`);
  return new MigrationError('EM_BACKFILL_UNFINISHED', [`${what}:`, ...lines].join('\n  '));
}

// A role that may only look at the history need not be able to look at these.
async function readUnfinishedAsFar(opened: Opened): ReturnType<typeof readUnfinished> {
  const { call, session, history } = opened;
  try {
    if (!history.hasBackfills && !(await isThere(opened))) return [];
    return await readUnfinished(session, resolved(opened));
  } catch (error) {
    if (sqlStateOf(error) !== '42501' || call.config.backfills === 'blocking') throw error;
    call.report.debug('backfill.unreadable', {});
    return [];
  }
}

// A migration of this boot, or of the one that it has waited for, may have enqueued the first one.
async function isThere(opened: Opened): Promise<boolean> {
  const [row] = await opened.session.query<{ there: boolean }>('select pg_catalog.to_regclass($1) is not null as there', [
    resolved(opened).backfills,
  ]);
  return row?.there === true;
}

async function findChanged(opened: Opened): Promise<Finding[]> {
  const { call, session, migrations } = opened;
  const setting = call.config.rules['backfill-changed'];
  if (setting.level === 'off') return [];
  const { judge } = await import('./checks/index.js');
  const changed = await readChanged(session, resolved(opened), migrations);
  return judge(
    'backfill-changed',
    setting,
    changed.map(({ name, migration, reason }) => ({
      message: `the backfill "${name}" is not done, and this code cannot work on it: ${reason}`,
      remedy: 'Put the definition back, or end it (`ensure-migrated backfill cancel`) and enqueue another in a new migration.',
      at: { migration },
      names: [name, migration],
    })),
  );
}
