import type { ToldStatement } from '../apply/index.js';
import type { Call } from '../call.js';
import { MigrationError } from '../errors.js';

/** What a person is asked before anything is repaired. */
export interface RepairQuestion {
  readonly database: string;
  readonly action: string;
  /** Of several their names, with commas. Undefined for `lock`. */
  readonly migration: string | undefined;
  /** What the repair will do, as a sentence without its end; of several a line for each. */
  readonly change: string;
  /** What stands there now; of several a list. */
  readonly before: unknown;
  /** Of an unfinished migration: what it had sent and may have changed something. */
  readonly sent: readonly ToldStatement[];
}

export interface Asking {
  /** Goes on without asking. Not needed where `environment` is `test`. */
  readonly yes?: boolean | undefined;
  /** Asks a person, before the lock is taken. */
  readonly confirm?: ((question: RepairQuestion) => Promise<boolean>) | undefined;
}

/** Asks, unless that is needless; throws EM_NOT_CONFIRMED. */
export async function confirmed({ config }: Call, question: RepairQuestion, { yes, confirm }: Asking): Promise<void> {
  if (yes || config.environment === 'test' || (await confirm?.(question))) return;
  const what = `repair ${[question.action, question.migration].filter(Boolean).join(' ')} in the database "${question.database}"`;
  throw new MigrationError('EM_NOT_CONFIRMED', `nobody has confirmed this: ${what}, which ${question.change}`);
}
