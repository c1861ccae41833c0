import type { Session } from '../session/index.js';
import { isOpen, readProgress, type BackfillProgress } from './progress.js';
import { rollBack } from './turn.js';
import type { Crew } from './worker.js';

const everyMs = 1_000;

/** Tells how far the backfills of a crew are, over all who work on them. */
export class Telling {
  private toldAt = performance.now();
  private last: readonly BackfillProgress[] = [];

  constructor(
    private readonly crew: Pick<Crew, 'call' | 'tables' | 'names'>,
    private readonly session: Session,
  ) {}

  /** Once a second, where somebody watches: the log has what each worker moves. */
  async whenDue(): Promise<void> {
    const { config, report } = this.crew.call;
    if (!config.onProgress || performance.now() - this.toldAt < everyMs) return;
    report.debug('backfill.progress', { backfills: (await this.look()).map(fieldsOf) });
    this.toldAt = performance.now();
  }

  /** When told to stop: how far it came. What was under way was taken back, to the end of the batch before it. Never throws. */
  async stopped(): Promise<void> {
    const { report } = this.crew.call;
    for (const progress of await this.look().catch(() => this.last)) report.info('backfill.stopped', fieldsOf(progress));
  }

  private async look(): Promise<readonly BackfillProgress[]> {
    await rollBack({ session: this.session });
    this.last = (await readProgress(this.session, this.crew.tables, this.crew.names)).filter(isOpen);
    return this.last;
  }
}

function fieldsOf({ name, status, seenCount, changedCount, estimatedCount, rowsPerSecond, remainingMs }: BackfillProgress) {
  return { backfill: name, status, seenCount, changedCount, estimatedCount, rowsPerSecond, remainingMs };
}
