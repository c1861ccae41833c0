import { findingsError, isMigrationError, MigrationError, withoutRemedy } from '../errors.js';
import type { Finding } from '../finding.js';
import { differences, readBuilt } from '../likeness.js';
import { replay, replayBack } from '../replay.js';
import { listExisting, type Revision } from '../revision/index.js';
import { renderChange, type Change } from '../schema/index.js';
import { withScratch } from '../scratch.js';
import type { Session } from '../session/index.js';
import type { Workplace } from '../workplace.js';
import { covered, type Way } from './find.js';
import { judgeFiles } from './judge.js';

/**
 * Runs all migrations, with the files that were written, in a new scratch database, on the path of a boot: they must make what the model declares,
 * and what takes them back must make what was there before. Throws EM_DIFF_INCOMPLETE with every line that is left.
 * What the lint has against them is what it gives.
 */
export async function proveFiles(
  place: Workplace,
  { live, desired }: Omit<Way, 'steps'>,
  written: readonly Revision[],
): Promise<readonly Finding[]> {
  const { call, schema, tables } = place;
  const migrations = await listExisting(call.config.migrations);
  const names = new Set(written.map(({ name }) => name));
  const look = async (session: Session) => covered(place, await readBuilt(session, tables, call.config.timeouts.lockMs));
  return await withScratch(place, async (scratch) => {
    const request = { call, scratch, migrations, schema };
    const up = await orIncomplete(async () => await replay(request, look));
    refuse('what would be generated does not make what the model declares', differences(desired, up), 'autogenerate-up');
    return await orIncomplete(
      async () =>
        await replayBack(request, written.length, async (session) => {
          refuse(
            'what would take it back does not make what was there before',
            differences(live, await look(session)),
            'autogenerate-down',
          );
          return await judgeFiles(
            place,
            session,
            migrations.filter(({ name }) => names.has(name)),
          );
        }),
    );
  });
}

function refuse(what: string, left: readonly Change[], code: 'autogenerate-up' | 'autogenerate-down'): void {
  if (left.length > 0)
    throw findingsError(
      'EM_DIFF_INCOMPLETE',
      what,
      left.map((change) => findingOf(change, code)),
    );
}

function findingOf(change: Change, direction: 'autogenerate-up' | 'autogenerate-down'): Finding {
  const remedy = 'Write this change by hand.';
  const message = sentenceOf(change);
  if (direction === 'autogenerate-up') return { code: 'autogenerate-up', level: 'error', message, remedy };
  return { code: 'autogenerate-down', level: 'error', message, remedy };
}

function sentenceOf(change: Change): string {
  const { action, kind, identity } = change;
  if (action === 'changed') return renderChange(change);
  return action === 'dropped' ? `${kind} ${identity} would be missing` : `${kind} ${identity} would be left over`;
}

async function orIncomplete<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!isMigrationError(cause, 'EM_REPLAY_FAILED')) throw cause;
    throw new MigrationError('EM_DIFF_INCOMPLETE', `what would be generated does not run: ${withoutRemedy(cause)}`, { cause });
  }
}
