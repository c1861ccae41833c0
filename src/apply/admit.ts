import { findingsError } from '../errors.js';
import { errorsOf } from '../finding.js';
import type { Step } from '../plan.js';
import type { StepConnection } from '../step/index.js';
import type { Applying } from './applying.js';

/**
 * Judges a statement that a migration is about to send: what the capture could not foresee is seen here for the first time. Throws
 * EM_STATEMENT_REFUSED for a finding of level error; what is found besides goes to the outcome.
 */
export async function admit({ lint, onFound }: Applying, { name, transaction }: Step, text: string): Promise<void> {
  const findings = (await lint?.look(text)) ?? [];
  if (findings.length === 0) return;
  onFound?.(findings);
  if (errorsOf(findings).length === 0) return;
  const what = `${name} was about to send what the lint refuses, and what could not be foreseen`;
  throw findingsError('EM_STATEMENT_REFUSED', transaction ? `${what}; it was rolled back` : what, findings);
}

/** Runs the code of a migration so that its statements, and no others, are judged. */
export async function judged<T>({ lint }: Applying, { name }: Step, work: () => Promise<T> | T): Promise<T> {
  lint?.enter(name);
  try {
    return await work();
  } finally {
    lint?.leave();
  }
}

/** Waits for code, and for what it has sent without waiting for it: a promise that it forgot is judged as its own. */
export async function whole(connection: StepConnection, code: unknown): Promise<void> {
  await code;
  await connection.turns.settled();
}
