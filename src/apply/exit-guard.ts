import type { Call } from '../call.js';
import { errorTable } from '../errors.js';
import type { Step } from '../plan.js';

/**
 * While steps run: a process that ends, because a migration or the application called process.exit, ends with our exit code and says at
 * which migration. The server rolls back what was open.
 */
export function guardExit(call: Call, steps: readonly Step[]): Disposable {
  const onExit = () => {
    process.exitCode = errorTable.EM_MIGRATION_FAILED.exit;
    call.report.error('step.exited', { migrations: steps.map(({ name }) => name), exitCode: process.exitCode });
  };
  process.once('exit', onExit);
  return { [Symbol.dispose]: () => process.off('exit', onExit) };
}
