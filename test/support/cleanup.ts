import { afterAll } from 'vitest';

type Cleanup = (failed: boolean) => Promise<void>;

const cleanups: Cleanup[] = [];

/** Runs `cleanup` when the tests of this file have ended, newest first; it is told whether one of them failed. */
export function afterFile(cleanup: Cleanup): void {
  cleanups.push(cleanup);
}

// eslint-disable-next-line no-empty-pattern -- vitest reads the fixtures wanted from this pattern
afterAll(async ({}, suite) => {
  const failed = hasFailure(suite);
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup(failed);
}, 60_000);

interface Task {
  readonly result?: { readonly state: string } | undefined;
  readonly tasks?: readonly Task[];
}

function hasFailure(task: Task): boolean {
  return task.result?.state === 'fail' || (task.tasks ?? []).some(hasFailure);
}
