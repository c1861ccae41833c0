import type { Knex } from 'knex';
import type { Call } from '../call.js';
import { isMigrationError, messageOf } from '../errors.js';
import { tablesOf } from '../history/index.js';
import { loadOffline, type Session } from '../session/index.js';
import {
  loadParser,
  splitByEffect,
  splitSql,
  type Effect,
  type LoadedMigration,
  type MigrationCode,
  type ScriptStatement,
  type SqlScript,
} from '../source/index.js';
import { redact } from '../sql.js';
import { bindKnex, StepConnection, type StepContext } from '../step/index.js';
import { Reads } from './reads.js';
import { Recorder, refusedIn, type CapturedStatement, type RecorderOptions } from './recorder.js';
import { limited } from './limit.js';

/** What a migration would send. */
export interface Capture {
  readonly statements: readonly CapturedStatement[];
  /**
   * `exact`: this is it. `approximate`: it has looked at something that statements before it may change. `opaque`: no more is known, and what
   * there is of `statements` came before that.
   */
  readonly exactness: 'exact' | 'approximate' | 'opaque';
  /** Why it is not exact: a sentence about the migration, without its name. */
  readonly reason: string | undefined;
}

export interface CaptureRequest {
  readonly call: Call;
  readonly migration: LoadedMigration;
  /** Its `up`, or its `down`. */
  readonly code: MigrationCode | SqlScript;
  readonly transaction: boolean;
  /** `refused`: a migration that needs the answer to a statement is opaque. Else reads are answered from the session's database. */
  readonly reads: 'refused' | { readonly session: Session; readonly after: Reads['after'] };
}

/**
 * Finds out what a migration would send, without sending it: a script is parsed, code is run against a connection that only records. No hook
 * is called, and `verify` is not run. What the code does besides, to files or other services, it does. Never fails because of the migration;
 * throws EM_ABORTED, EM_LOST_SESSION and EM_PARSER_MISSING, and EM_MIGRATION_INVALID for a
 * script that cannot be split.
 */
export async function captureMigration(request: CaptureRequest): Promise<Capture> {
  const { code, migration, call, transaction } = request;
  call.stop.throwIfAborted();
  await loadParser(); // not within the migration's code, which would be blamed
  if (typeof code !== 'function') return await captureScript(code, transaction);
  if (migration.config.capture === false) return { statements: [], exactness: 'opaque', reason: 'its config says capture: false' };
  const first = await record(request, code, { rowCount: 0 });
  const { statements, failure, doubt, countsUsed } = first;
  if (failure) return { statements, exactness: 'opaque', reason: failure };
  const reason = doubt ?? (countsUsed && (await dependsOnCounts(request, code, statements)) ? countsReason : undefined);
  if (reason === undefined) return { statements, exactness: 'exact', reason };
  return { statements, exactness: request.reads === 'refused' ? 'opaque' : 'approximate', reason };
}

const countsReason = 'what it sends depends on how many rows a statement changes';

async function captureScript(script: SqlScript, transaction: boolean): Promise<Capture> {
  const parts: readonly (ScriptStatement & { effect?: Effect })[] = (await splitByEffect(script.text)) ?? (await splitSql(script));
  const lines = linesAt(script.text, parts);
  const statements = parts.map(({ text, effect = 'write' }, message) => {
    return { text, sql: text, sent: text, effect, place: `${script.file}:${lines[message]}`, message };
  });
  const reason = refusedIn(parts, transaction);
  return { statements, exactness: reason === undefined ? 'exact' : 'opaque', reason };
}

// One walk for all of them: a dump has thousands.
function linesAt(text: string, statements: readonly ScriptStatement[]): number[] {
  const characters = Array.from(text);
  let line = 1;
  let seen = 0;
  return statements.map(({ offset }) => {
    for (; seen < offset; seen++) if (characters[seen] === '\n') line++;
    return line;
  });
}

// knex itself looks at the count of an update, to hand it on: whether the migration goes by it shows when it is told another one.
async function dependsOnCounts(request: CaptureRequest, code: MigrationCode, before: readonly CapturedStatement[]): Promise<boolean> {
  const { statements, failure } = await record(request, code, { rowCount: 1, expected: before.map(({ text }) => text) });
  return failure !== undefined || statements.length !== before.length;
}

async function record(
  { call, migration, transaction, reads }: CaptureRequest,
  code: MigrationCode,
  options: Pick<RecorderOptions, 'rowCount' | 'expected'>,
): Promise<Recorder> {
  const { unconnected } = await loadOffline();
  const asked = reads === 'refused' ? undefined : reads;
  await using answering = asked && new Reads(asked.session, asked.after);
  const recorder = new Recorder({
    ...options,
    transaction,
    client: unconnected(asked?.session.wire.client),
    file: migration.file,
    reads: answering,
  });
  const connection = new StepConnection(recorder, { transaction: transaction ? 'transaction' : 'none' });
  try {
    const knex = await bindKnex(
      { connection, wire: recorder, cancel: async () => undefined, messages: 'traced', context: () => contextOf(call, migration) },
      call.config.knex,
    );
    await limited({ call, recorder, connection }, transaction ? () => inTransaction(knex, code) : async () => await code(knex));
    if (connection.broken) throw connection.broken;
  } catch (error) {
    if (isMigrationError(error, 'EM_ABORTED') || isMigrationError(error, 'EM_LOST_SESSION')) throw error;
    recorder.failure ??= thrown(error, recorder.doubt);
  } finally {
    recorder.end();
    connection.onClose?.();
  }
  return recorder;
}

function contextOf({ config }: Call, { name, backfills }: LoadedMigration): StepContext {
  return { migration: name, backfills, tables: tablesOf(config.migrations), run: 'recorded' };
}

function thrown(error: unknown, doubt: string | undefined): string {
  const said = `it throws: ${redact(messageOf(error))}`;
  return doubt === undefined ? said : `${said} (${doubt})`;
}

// The transaction never ends: knex would reject what a forgotten promise sends afterwards, and nobody would listen.
async function inTransaction(knex: Knex, code: MigrationCode): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const container = async (trx: Knex.Transaction) => {
      await Promise.resolve(trx)
        .then(code)
        .then(() => resolve(), reject);
      await new Promise(() => undefined);
    };
    knex.transaction(container).catch(reject);
  });
}
