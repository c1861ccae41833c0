import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Options } from '../config/index.js';
import { messageOf, MigrationError } from '../errors.js';
import type { Outcome } from '../outcome.js';

/** How a process that booted ended. `killed`: before it could say so. */
export type Boot =
  | { readonly is: 'booted'; readonly status: Outcome['status']; readonly applied: readonly string[] }
  | { readonly is: 'failed'; readonly code: string | undefined; readonly message: string }
  | { readonly is: 'killed' };

/** What such a process says. */
export type Word = Boot | { readonly is: 'ready' };

/** What it is told. */
export interface BootTask {
  readonly options: Options;
  /** Kills itself, as kill -9 does, at the n-th event of this name. */
  readonly kill?: { readonly phase: string; readonly n: number };
}

/** Lets processes boot at once: each is up and waiting before the first is told to go. */
export async function bootAtOnce(task: BootTask, count: number): Promise<Boot[]> {
  refuseFunctions(task);
  const children = Array.from({ length: count }, () => start());
  try {
    await Promise.all(children.map(async (child) => void (await once(child, 'message'))));
    return await Promise.all(children.map(async (child) => await boot(child, task)));
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

// What it would print is said in other ways; NODE_V8_COVERAGE and loaders of the parent hold for it as well.
function start(): ChildProcess {
  return fork(fileURLToPath(new URL('./boot-child.js', import.meta.url)), {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    serialization: 'advanced',
  });
}

async function boot(child: ChildProcess, task: BootTask): Promise<Boot> {
  let last: Boot = { is: 'killed' };
  child.on('message', (word: Boot) => (last = word));
  const closed = once(child, 'close');
  child.send(task);
  await closed;
  return last;
}

function refuseFunctions(task: BootTask): void {
  try {
    structuredClone(task);
  } catch (cause) {
    throw new MigrationError('EM_TEST_SERVER', `the options cannot be handed to another process: ${messageOf(cause)}`, {
      cause,
      remedy: 'Start the harness with paths of migrations, without knex, modules or hooks, to let other processes boot.',
    });
  }
}
