import { hostname } from 'node:os';
import type { Call } from '../call.js';
import { MigrationError, sqlStateOf } from '../errors.js';
import { accountName } from '../journal-rows.js';
import type { Session } from '../session/index.js';
import { jsonLiteral, literal } from '../sql.js';
import { tryAside } from './aside.js';
import { declaredOf, hashOf, type Backfill } from './definition.js';
import { chosenOf } from './names.js';
import { readProgress, type BackfillProgress } from './progress.js';
import type { RangeRow, BackfillStatus } from './state.js';
import { moveOf, noMove, statusOf, type Action, type Move } from './transitions.js';
import { claimWhole, commit, rollBack, type Place } from './turn.js';
import type { Crew } from './worker.js';

export interface Control {
  readonly action: Action;
  /** `accept`: where the code has another definition than the one that was enqueued, the rest is done by the code's. */
  readonly changed?: 'accept' | undefined;
  /** `start`: an unverified one walks the whole table again. For one with a `where` that no row matches which is done. */
  readonly from?: 'start' | undefined;
  /** `again`: rows that were set aside are tried again, each by itself, before this returns. */
  readonly aside?: 'again' | undefined;
}

/**
 * Tells backfills what to do, and gives what they have come to then. Each is a transaction that locks its ranges: it waits for the batches that are under
 * way, and when it returns none is. Throws before anything is changed: EM_BACKFILL_UNKNOWN; EM_BACKFILL_REFUSED where the action makes no sense, or the
 * definition is another one. EM_CALL_TIMEOUT when a batch goes on for longer than `timeouts.callMs`.
 */
export async function control(crew: Crew, session: Session, asked: Control): Promise<readonly BackfillProgress[]> {
  const place: Place = { session, tables: crew.tables };
  const all = await readProgress(session, crew.tables);
  const chosen = chosenOf(all, crew.names).filter((each) => isMeant(asked, each, crew.names));
  const code = new Map<string, Backfill | undefined>();
  for (const { name, migration } of chosen) if (readsCode(asked)) code.set(name, await crew.definitionOf({ name, migration }));
  for (const { name } of chosen) refuse(asked, await readFirst(place, name), code.get(name));
  const signed = signature(crew.call, asked.action);
  for (const { name } of chosen) await tell(crew, place, { name, asked, code: code.get(name), signed });
  const names = new Set(chosen.map(({ name }) => name));
  return (await readProgress(session, crew.tables)).filter(({ name }) => names.has(name));
}

// Without names: all for which it makes sense.
function isMeant({ action }: Control, { name, status }: BackfillProgress, names: readonly string[] | undefined): boolean {
  if (moveOf(action, status) !== undefined) return true;
  if (names === undefined) return false;
  throw noMove(action, name, status);
}

function readsCode({ action }: Control): boolean {
  return action === 'resume' || action === 'retry';
}

async function readFirst({ session, tables: { backfills } }: Place, name: string): Promise<First | undefined> {
  const [row] = await session.query<First>(
    `select name, hash, status, definition, relation from ${backfills} where name = $1 and range = 0`,
    [name],
  );
  return row;
}

type First = Pick<RangeRow, 'name' | 'hash' | 'status' | 'definition' | 'relation'>;

// What cannot be done, before anything is.
function refuse({ changed, from }: Control, row: First | undefined, code: Backfill | undefined): void {
  if (!row) return;
  const { name, hash, definition, relation, status } = row;
  const refused = (message: string, remedy: string) =>
    new MigrationError('EM_BACKFILL_REFUSED', `the backfill "${name}" ${message}`, { remedy: `${remedy} Nothing was changed.` });
  const isOther = code !== undefined && hashOf(code) !== hash;
  if (isOther && changed !== 'accept')
    throw refused(
      'has another definition in this code than the one that was enqueued',
      'Put back what it was, or have the rest done by the new one with --accept-changed (`changed: "accept"`).',
    );
  const isElsewhere = isOther && relation !== null && same(code) !== same(definition);
  if (isElsewhere) throw refused('has begun in another table, or by another key', 'Cancel it, and enqueue another in a new migration.');
  if (from === 'start' && status === 'unverified' && (code ?? definition).where === undefined)
    throw refused(
      'has no `where`: from the start it would change rows twice',
      'Leave --from-start out, and mend the rows that `verify` finds.',
    );
}

function same({ table, key }: Pick<Backfill, 'table' | 'key'>): string {
  return JSON.stringify([table, key ?? null]);
}

interface Told {
  readonly name: string;
  readonly asked: Control;
  readonly code: Backfill | undefined;
  /** Who asks, and when, in SQL. */
  readonly signed: string;
}

async function tell(crew: Crew, place: Place, told: Told): Promise<void> {
  const { name, asked, code } = told;
  if (asked.aside === 'again') {
    await change(crew, place, { name, render: () => renderDefinition(place, told) });
    await tryAside(crew, place, { name, code });
  }
  let [from, move]: [BackfillStatus | undefined, Move | undefined] = [undefined, undefined];
  const render = (rows: readonly RangeRow[]) => {
    from = statusOf(rows.map(({ status }) => status));
    move = from && moveOf(asked.action, from);
    if (from && !move) throw noMove(asked.action, name, from); // it went on meanwhile
    return from ? renderDefinition(place, told) + renderMove(place, told, move ?? 'same') : '';
  };
  await change(crew, place, { name, render });
  crew.call.report.info('backfill.told', { backfill: name, action: asked.action, status: from, isMoved: move !== 'same' });
}

interface Change {
  readonly name: string;
  readonly render: (rows: readonly RangeRow[]) => string;
}

async function change({ call }: Crew, place: Place, { name, render }: Change): Promise<void> {
  const rows = await claimPatiently(call, place, name);
  try {
    await commit(place, render(rows));
  } catch (error) {
    await rollBack(place);
    throw error;
  }
}

async function claimPatiently(call: Call, place: Place, name: string): Promise<readonly RangeRow[]> {
  try {
    return await claimWhole(place, name, Math.ceil(Math.min(Math.max(1, call.patienceMs), 2 ** 31 - 1)));
  } catch (error) {
    if (sqlStateOf(error) !== '55P03') throw error;
    const remedy = 'Look in pg_stat_activity at what the batch does, or raise `timeouts.callMs`. Nothing was changed.';
    throw new MigrationError('EM_CALL_TIMEOUT', `waited ${call.config.timeouts.callMs} ms for a batch of the backfill "${name}"`, {
      remedy,
      cause: error,
    });
  }
}

function renderDefinition({ tables: { backfills } }: Place, { name, code }: Told): string {
  if (!code) return '';
  const set = `definition = ${jsonLiteral(declaredOf(code))}, hash = ${literal(hashOf(code))}`;
  return `update ${backfills} set ${set} where name = ${literal(name)};`;
}

// Where a range was when it stopped. Through, it is passed once more, as an empty one is at once.
const asItWas = `case when relation is null then 'queued' when upper is null or cursor = upper then 'passed' else 'running' end`;

function renderMove(place: Place, told: Told, move: Move): string {
  const status = { paused: `'paused'`, cancelled: `'cancelled'`, passed: `'passed'`, open: asItWas };
  if (move === 'same') return '';
  if (move === 'passed' && told.asked.from === 'start') return renderStart(place, told);
  const end = move === 'cancelled' ? 'finished_at = clock_timestamp()' : 'finished_at = null, error = null';
  return `update ${place.tables.backfills} set status = ${status[move]}, ${end}, control = ${told.signed} where name = ${literal(told.name)};`;
}

// As if it had just been enqueued, but for what it has changed: the rows that were set aside come along again.
function renderStart({ tables: { backfills, aside } }: Place, { name, signed }: Told): string {
  const ours = `where name = ${literal(name)}`;
  const reset = ['relation', 'key', 'cursor', 'upper', 'error', 'started_at', 'finished_at'].map((column) => `${column} = null`);
  return `update ${backfills} set status = 'queued', ${reset.join(', ')}, rows_seen = 0, rows_aside = 0, control = ${signed},
      rows_done = (select sum(rows_done) from ${backfills} ${ours}) ${ours} and range = 0;
    delete from ${backfills} ${ours} and range > 0;
    delete from ${aside} ${ours};`;
}

function signature({ config: { application } }: Call, action: Action): string {
  const who = { action, user: accountName() ?? 'unknown', host: hostname(), application: application.name };
  const now = `pg_catalog.to_char(pg_catalog.clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
  return `${jsonLiteral(who)} || pg_catalog.jsonb_build_object('at', ${now})`;
}
