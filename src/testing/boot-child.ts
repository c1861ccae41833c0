/** A process that boots on a test database, once it is told to. It speaks to its parent alone. */
import { ensureMigrated } from '../ensure.js';
import { isMigrationError, messageOf } from '../errors.js';
import type { BootTask, Word } from './boots.js';

const say = (word: Word): void => void process.send?.(word);

process.once('message', (task: BootTask) => void boot(task));
process.once('disconnect', () => process.kill(process.pid, 'SIGKILL')); // whoever started it is gone
say({ is: 'ready' });

async function boot({ options, kill }: BootTask): Promise<void> {
  let seen = 0;
  const onProgress = ({ event }: { readonly event: string }): void => {
    if (event === kill?.phase && ++seen === kill.n) process.kill(process.pid, 'SIGKILL');
  };
  try {
    const { status, applied } = await ensureMigrated({ ...options, onProgress });
    say({ is: 'booted', status, applied: applied.map(({ name }) => name) });
  } catch (error) {
    say({ is: 'failed', code: isMigrationError(error) ? error.code : undefined, message: messageOf(error) });
  }
  process.removeAllListeners('disconnect');
  process.disconnect();
}
