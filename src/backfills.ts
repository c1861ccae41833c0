import { definitionsIn, enqueue, readProgress, workToTheEnd, type BackfillProgress } from './backfill/index.js';
import type { Options } from './config/index.js';
import type { Tables } from './history/index.js';
import { inSchema } from './read-state.js';
import { openDatabase, runCall, type Opened } from './run-call.js';

export interface BackfillOptions {
  /** These; all where undefined. */
  readonly names?: readonly string[];
}

/** Where the tables of backfills are, also for a session of another search_path. */
function tablesIn({ tables, history }: Opened): Tables {
  const schema = tables.schema ?? history.facts.schema;
  return schema === null ? tables : inSchema(tables, schema);
}

/** What each backfill has come to, in the order in which they were enqueued. Locks and writes nothing. */
async function list(options: Options = {}, { names }: BackfillOptions = {}): Promise<readonly BackfillProgress[]> {
  return await runCall(options, async (call) => {
    await using opened = await openDatabase(call, 'alone');
    return await readProgress(opened.session, tablesIn(opened), names);
  });
}

/**
 * Works on backfills until none has anything left to do, together with whoever else is at them, and gives what they have come to. Throws
 * EM_BACKFILL_UNFINISHED where what is left cannot be done by this code.
 */
async function run(options: Options = {}, { names }: BackfillOptions = {}): Promise<readonly BackfillProgress[]> {
  return await runCall(options, async (call) => {
    await using opened = await openDatabase(call);
    const { session, migrations } = opened;
    return await workToTheEnd({ call, tables: tablesIn(opened), names, definitionOf: definitionsIn(migrations) }, session);
  });
}

/** Changes of many rows, made in batches while the application runs, in each row exactly once. */
export const backfill = Object.freeze({ enqueue, list, run });
