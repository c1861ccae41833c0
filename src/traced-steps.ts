import type { Call } from './call.js';
import { isMigrationError, withoutRemedy, type MigrationError } from './errors.js';
import { inSchema, ownTables, schemaOf, tablesOf } from './history/index.js';
import { replay } from './replay.js';
import { withSchemaCopy, type SchemaCopy, type SchemaCopyRequest } from './schema-copy.js';
import type { Migration } from './source/index.js';
import { redact } from './sql.js';
import { MigrationTracer, type TracedMigration } from './trace/index.js';

/** What migrations were seen to do, run in the way of a boot in a database of our own without the rows of the real one. */
export interface Trace {
  /** In the order in which they ran; those that sent nothing, and those after one that failed, are not among them. */
  readonly migrations: readonly TracedMigration[];
  /** Why it ended before its time: the last of the migrations failed there. */
  readonly failure: TraceFailure | undefined;
}

/** Why a migration failed in the scratch database. */
export interface TraceFailure {
  readonly code: string;
  /** With the migration, the line and the statement, as far as they are known. */
  readonly message: string;
}

export interface TracedStepsRequest extends SchemaCopyRequest {
  /** To be traced. */
  readonly pending: readonly Migration[];
}

/**
 * Runs the pending migrations in a scratch copy of the schema, and tells what each of their statements does: see {@link withSchemaCopy} for the
 * copy and what it throws, `Tracer` for what is seen. The code of the applied and of the pending migrations is run, with all that it does besides.
 * Nothing is run in the real database.
 */
export async function traceSteps(request: TracedStepsRequest): Promise<Trace & Pick<SchemaCopy, 'madeBy'>> {
  const { opened, pending } = request;
  return await withSchemaCopy(request, async ({ connection, madeBy, migrations }) => {
    const ids = new Set([...migrations, ...pending].map(({ id }) => id));
    const all = opened.migrations.filter(({ id }) => ids.has(id));
    const trace = await traceReplay({
      call: opened.call,
      scratch: { connection },
      migrations: all,
      schema: schemaOf(opened.tables, opened.history.facts),
    });
    return Object.freeze({ ...trace, madeBy });
  });
}

export interface TracedReplay {
  readonly call: Call;
  /** What it has applied already is not run again. */
  readonly scratch: Pick<SchemaCopy, 'connection'>;
  readonly migrations: readonly Migration[];
  readonly schema: string | undefined;
}

/** Replays migrations in a database of our own, and traces them. A migration that fails ends the trace, and is told with it. */
export async function traceReplay(request: TracedReplay): Promise<Trace> {
  const tables = tablesOf(request.call.config.migrations);
  const follower = new MigrationTracer(ownTables(inSchema(tables, request.schema)));
  const failure = await failureOf(replay({ ...request, follower }, async () => undefined));
  return Object.freeze({ migrations: follower.migrations, failure });
}

async function failureOf(replaying: Promise<unknown>): Promise<TraceFailure | undefined> {
  try {
    await replaying;
    return undefined;
  } catch (error) {
    if (!isMigrationError(error, 'EM_REPLAY_FAILED')) throw error;
    const cause = error.cause as MigrationError;
    return Object.freeze({ code: cause.code, message: redact(withoutRemedy(cause)) });
  }
}
