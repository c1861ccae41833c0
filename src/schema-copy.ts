import { dumpBaseline } from './baseline-dump.js';
import { callUnder } from './call.js';
import { isMigrationError, MigrationError, withoutRemedy } from './errors.js';
import { schemaOf } from './history/index.js';
import { replay } from './replay.js';
import type { Opened } from './run-call.js';
import { withScratch, type Scratch } from './scratch.js';
import type { Migration } from './source/index.js';
import { appliedAmong } from './squashed.js';
import type { State } from './state.js';

/** A database of our own with the schema of the real one, and no rows but those that its migrations write. */
export interface SchemaCopy extends Pick<Scratch, 'connection'> {
  /** `replay`: by running the applied migrations, in the way of a boot. `dump`: by what pg_dump says of the schema; then its history is empty. */
  readonly madeBy: 'replay' | 'dump';
  /** Those that have run in it. */
  readonly migrations: readonly Migration[];
}

export interface SchemaCopyRequest {
  readonly opened: Opened;
  readonly state: Pick<State, 'applied' | 'ahead' | 'missing' | 'unmanaged'>;
  /** Not applied, but as good as. */
  readonly stamped: readonly Migration[];
}

/**
 * Works with a copy of the schema on the same server, and drops it afterwards. The applied migrations are run there; where they do not lead to
 * the schema, since files are missing or one of them fails, pg_dump copies it, which takes ACCESS SHARE on every table. Of the real database
 * nothing else is asked. Throws EM_SCRATCH_UNAVAILABLE; EM_PLAN_REFUSED where neither way leads to a copy.
 */
export async function withSchemaCopy<T>(request: SchemaCopyRequest, work: (copy: SchemaCopy) => Promise<T>): Promise<T> {
  const { opened, stamped } = request;
  const migrations = appliedAmong(opened.migrations, [...request.state.applied, ...stamped.map(({ name }) => name)]);
  let why = whyNoReplay(request);
  if (why === undefined) {
    const replayed = await withScratch(opened, async ({ connection }) => {
      why = await failureOf(replayStanding(opened, { connection, migrations }));
      return why === undefined ? { result: await work({ connection, madeBy: 'replay', migrations }) } : undefined;
    });
    if (replayed) return replayed.result;
  }
  const script = await dump(opened, why ?? '');
  return await withScratch(opened, async ({ connection }) => {
    await restore(opened, { connection, script });
    return await work({ connection, madeBy: 'dump', migrations: [] });
  });
}

function whyNoReplay({ state: { ahead, missing, unmanaged }, stamped }: SchemaCopyRequest): string | undefined {
  const unknown = [...missing, ...ahead];
  if (unknown.length > 0) return `these are applied, and not among the files: ${unknown.join(', ')}`;
  return unmanaged.length > 0 && stamped.length === 0 ? 'its tables were made by no migration' : undefined;
}

type Place = Pick<SchemaCopy, 'connection' | 'migrations'>;

// Each in its own transaction: how they ran then is past.
async function replayStanding(opened: Opened, { connection, migrations }: Place): Promise<void> {
  if (migrations.length === 0) return;
  const call = callUnder(opened.call, { transaction: 'each' });
  await replay({ call, scratch: { connection }, migrations, schema: schemaOf(opened.tables, opened.history.facts) }, async () => undefined);
}

async function failureOf(replaying: Promise<void>): Promise<string | undefined> {
  try {
    await replaying;
    return undefined;
  } catch (error) {
    if (!isMigrationError(error, 'EM_REPLAY_FAILED')) throw error;
    return withoutRemedy(error);
  }
}

async function dump({ call, session, tables, history: { facts } }: Opened, why: string): Promise<string> {
  const source = call.config.directConnection ?? session.source;
  try {
    return (await dumpBaseline({ call, session, source, tables, facts, file: 'the dump of the schema' }))?.up ?? '';
  } catch (error) {
    if (!isMigrationError(error)) throw error;
    throw noCopy(`${why}; and ${withoutRemedy(error)}`, error);
  }
}

async function restore({ call }: Opened, { connection, script }: Pick<Place, 'connection'> & { readonly script: string }): Promise<void> {
  await replay({ call, scratch: { connection }, migrations: [], schema: undefined }, async (session) => {
    try {
      await session.send(`begin;\n${script}\ncommit;`);
    } catch (error) {
      if (isMigrationError(error)) throw error;
      throw noCopy(`what pg_dump has written does not run in an empty database: ${String(error)}`, error);
    }
  });
}

function noCopy(why: string, cause: unknown): MigrationError {
  return new MigrationError('EM_PLAN_REFUSED', `no copy of the schema can be made to run migrations in: ${why}`, {
    cause,
    remedy:
      "Put the missing files back or correct the migration, or install the client tools of the server's version (pg_dump). Nothing was changed.",
  });
}
