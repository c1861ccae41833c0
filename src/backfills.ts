import type { Knex } from 'knex';
import type { Backfill, BackfillProgress, Control, RowAside } from './backfill/index.js';
import type { Options } from './config/index.js';
import { MigrationError } from './errors.js';
import { resolved } from './history/index.js';
import { openDatabase, runOnHistory } from './run-call.js';

/** Which backfills are meant. */
export interface BackfillOptions {
  /** These, each of which must be there (EM_BACKFILL_UNKNOWN); all where undefined. */
  readonly names?: readonly string[] | undefined;
}

/** Which backfills are meant: each must be named, since a cancelled one is never worked on again. */
export interface CancelOptions {
  readonly names: readonly string[];
}

/** Which paused backfills are meant, and what of a definition that has changed. */
export interface ResumeOptions extends BackfillOptions {
  /** `accept`: where the code has another definition than the one that was enqueued, the rest is done by the code's. Default: refused. */
  readonly changed?: 'accept' | undefined;
}

/** Which failed or unverified backfills are meant, and from where they go on. */
export interface RetryOptions extends ResumeOptions {
  /** `start`: an unverified one walks the whole table again. Only where no row that is done matches its `where`; one without is refused. */
  readonly from?: 'start' | undefined;
  /** `again`: the rows that were set aside are tried again, each by itself, before this returns. */
  readonly aside?: 'again' | undefined;
}

// Most boots have no backfill: the room is entered when one of these is called.
const room = async () => await import('./backfill/index.js');

async function enqueue(knex: Knex, name: string, definition?: Backfill): Promise<void> {
  await (await room()).enqueue(knex, name, definition);
}

async function list(options: Options = {}, { names }: BackfillOptions = {}): Promise<readonly BackfillProgress[]> {
  return await runOnHistory(options, async (call) => {
    const { chosenOf, readProgress } = await room();
    await using opened = await openDatabase(call, 'alone');
    return chosenOf(await readProgress(opened.session, resolved(opened)), names);
  });
}

async function aside(options: Options = {}, { names }: BackfillOptions = {}): Promise<readonly RowAside[]> {
  return await runOnHistory(options, async (call) => {
    const { chosenOf, readAside, readProgress } = await room();
    await using opened = await openDatabase(call, 'alone');
    chosenOf(await readProgress(opened.session, resolved(opened)), names);
    return await readAside(opened.session, resolved(opened), names);
  });
}

async function run(options: Options = {}, { names }: BackfillOptions = {}): Promise<readonly BackfillProgress[]> {
  return await runOnHistory(options, async (call) => {
    const { chosenOf, definitionsIn, readProgress, workToTheEnd } = await room();
    await using opened = await openDatabase(call);
    const { session, migrations } = opened;
    const tables = resolved(opened);
    chosenOf(await readProgress(session, tables), names);
    return await workToTheEnd({ call, tables, names, definitionOf: definitionsIn(migrations) }, session);
  });
}

async function wait(options: Options = {}, { names }: BackfillOptions = {}): Promise<readonly BackfillProgress[]> {
  return await runOnHistory(options, async (call) => {
    const { waitForDone } = await room();
    await using opened = await openDatabase(call, 'alone');
    return await waitForDone({ call, tables: resolved(opened), names }, opened.session);
  });
}

async function pause(options: Options = {}, { names }: BackfillOptions = {}): Promise<readonly BackfillProgress[]> {
  return await controlled(options, { names, action: 'pause' });
}

async function resume(options: Options = {}, { names, changed }: ResumeOptions = {}): Promise<readonly BackfillProgress[]> {
  return await controlled(options, { names, action: 'resume', changed });
}

async function retry(options: Options = {}, { names, changed, from, aside }: RetryOptions = {}): Promise<readonly BackfillProgress[]> {
  return await controlled(options, { names, action: 'retry', changed, from, aside });
}

async function cancel(options: Options, { names }: CancelOptions): Promise<readonly BackfillProgress[]> {
  if (!Array.isArray(names) || names.length === 0) {
    const remedy = 'Name what is to be cancelled. Nothing was changed.';
    throw new MigrationError('EM_CONFIG_INVALID', 'cancel: expected the names of backfills; got none', { remedy });
  }
  return await controlled(options, { names, action: 'cancel' });
}

async function controlled(options: Options, { names, ...asked }: Control & BackfillOptions): Promise<readonly BackfillProgress[]> {
  return await runOnHistory(options, async (call) => {
    const { control, definitionsIn } = await room();
    const readsCode = asked.action === 'resume' || asked.action === 'retry';
    await using opened = await openDatabase(call, readsCode ? 'with migrations' : 'alone');
    const { session, migrations } = opened;
    return await control({ call, tables: resolved(opened), names, definitionOf: definitionsIn(migrations) }, session, asked);
  });
}

export type { BackfillProgress, RowAside };

/** Changes of many rows, made in batches while the application runs, in each row exactly once. */
export const backfill = Object.freeze({
  /**
   * Enqueues a backfill in the transaction of the migration that calls it: one that the migration exports under this name, or one that is given here and
   * has no code. Throws EM_BACKFILL_INVALID and EM_BACKFILL_REFUSED, which take the migration back.
   */
  enqueue,
  /** What each backfill has come to, in the order in which they were enqueued. Locks and writes nothing. */
  list,
  /** The rows that were set aside: their keys, and why, but no other value of them. Locks and writes nothing. */
  aside,
  /**
   * Works on backfills until none has anything left to do, together with whoever else is at them, and gives what they have come to. Throws
   * EM_BACKFILL_UNFINISHED where what is left cannot be done by this code.
   */
  run,
  /**
   * Waits until backfills are done, and works on none; for as long as that takes. Throws EM_BACKFILL_UNFINISHED when one is paused, failed, unverified or
   * cancelled.
   */
  wait,
  /** Nobody works on them until they are resumed. Waits for the batches that are under way: when it returns, none is. */
  pause,
  /** Paused ones go on where they stopped. Works on nothing itself. */
  resume,
  /** Failed ones go on where they stopped, of unverified ones `verify` is asked again. Works on nothing itself but rows that were set aside. */
  retry,
  /** They are never worked on again; what is done stays done, and a migration that requires one of them stays refused. Waits for batches as `pause` does. */
  cancel,
});
