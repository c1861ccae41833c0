import type { Call } from '../call.js';
import { errorTable, MigrationError } from '../errors.js';
import type { Step } from '../plan.js';
import { splitSql, type LoadedMigration, type Migration } from '../source/index.js';

/**
 * While migrations are loaded or run: a process that ends, because one of them or the application called process.exit, ends with our exit
 * code and says at which migrations. The server rolls back what was open.
 */
export function guardExit(call: Call, migrations: readonly { readonly name: string }[]): Disposable {
  const onExit = () => {
    process.exitCode = errorTable.EM_MIGRATION_FAILED.exit;
    call.report.error('step.exited', { migrations: migrations.map(({ name }) => name), exitCode: process.exitCode });
  };
  process.once('exit', onExit);
  return { [Symbol.dispose]: () => process.off('exit', onExit) };
}

/**
 * Imports the migrations, which runs their top level. Throws EM_MIGRATION_INVALID, EM_TYPESCRIPT_UNSUPPORTED; EM_MIGRATION_STALLED when
 * none has come for `timeouts.silenceMs`, EM_ABORTED when told to stop.
 */
export async function loadMigrations(call: Call, pending: readonly Migration[], direction: Step['direction']): Promise<LoadedMigration[]> {
  using _guard = guardExit(call, pending);
  const loaded = await loadAll(call, pending);
  // The server would find a syntax error in one of them only at its turn.
  const standalone = loaded
    .filter(({ config }) => config.transaction === false)
    .flatMap(({ [direction]: code }) => (code === undefined || typeof code === 'function' ? [] : [code]));
  for (const script of standalone) await splitSql(script);
  return loaded;
}

// An import cannot be ended: a top level that awaits what never comes is left behind.
async function loadAll({ stop, config }: Call, pending: readonly Migration[]): Promise<LoadedMigration[]> {
  const { silenceMs } = config.timeouts;
  const missing = new Set(pending);
  let interrupt: (reason: unknown) => void = () => undefined;
  const interruption = new Promise<never>((_, reject) => (interrupt = reject));
  const timer = setTimeout(() => interrupt(stalled(missing, silenceMs)), silenceMs);
  const onStop = () => interrupt(stop.reason);
  const load = async (migration: Migration) => {
    const loaded = await migration.load();
    missing.delete(migration);
    timer.refresh();
    return loaded;
  };
  stop.addEventListener('abort', onStop);
  try {
    stop.throwIfAborted();
    return await Promise.race([Promise.all(pending.map(load)), interruption]);
  } finally {
    clearTimeout(timer);
    stop.removeEventListener('abort', onStop);
  }
}

function stalled(missing: Iterable<Migration>, silenceMs: number): MigrationError {
  const names = Array.from(missing, ({ name }) => name).join(', ');
  return new MigrationError('EM_MIGRATION_STALLED', `could not be loaded within ${silenceMs} ms: ${names}`, {
    remedy: 'Look at what the top level of the migration awaits, or raise `timeouts.silenceMs`.',
  });
}
