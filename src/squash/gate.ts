import { findingsError } from '../errors.js';
import type { Finding } from '../finding.js';
import { differences, type Built } from '../likeness.js';
import { replay, replayBack } from '../replay.js';
import { renderChange, type Change } from '../schema/index.js';
import { withScratch } from '../scratch.js';
import type { Session } from '../session/index.js';
import { listMigrations } from '../source/index.js';
import type { Workplace } from '../workplace.js';
import type { Chosen } from './choose.js';
import { lookAt, type Chain } from './dump.js';
import { readContents, type Content } from './contents.js';
import type { Way } from './write.js';

interface Proof {
  readonly chosen: Chosen;
  readonly chain: Chain;
  readonly way: Way;
}

/**
 * Runs the squash in a scratch database on the path of a boot, takes it back where that is possible, and runs it again with all that come later:
 * each time what is there must be what the old migrations make. Throws EM_DIFF_INCOMPLETE with all that differs, and EM_REPLAY_FAILED.
 */
export async function proveSquash(place: Workplace, { chosen, chain, way }: Proof): Promise<void> {
  const { call, schema, tables } = place;
  const migrations = await listMigrations(call.config.migrations);
  const squash = migrations.filter(({ name }) => name === chosen.name);
  const look = async (session: Session) => await lookAt(place, session);
  await withScratch(place, async (scratch) => {
    const request = { call, scratch, schema };
    const made = await replay({ ...request, migrations: squash }, async (session) => {
      return { schema: await look(session), rows: await readContents(session, tables) };
    });
    refuse('what the squash makes is not what the old migrations make', [
      ...findDifferences(chain.squashed, made.schema),
      ...findOtherRows(chain.rows, made.rows),
    ]);
    if (way === 'back, too') {
      const back = await replayBack({ ...request, migrations: squash }, 1, look);
      refuse('the squash taken back does not leave what was there before', findDifferences(chain.empty, back));
    }
    const head = await replay({ ...request, migrations }, look);
    refuse('the later migrations do not lead from the squash to where they lead from the old ones', findDifferences(chain.head, head));
  });
}

function refuse(what: string, findings: readonly Finding[]): void {
  if (findings.length > 0) throw findingsError('EM_DIFF_INCOMPLETE', `${what}; nothing was written`, findings);
}

const remedy = 'Squash to a revision before the one that makes it.';

// A way back leaves extensions: others stand on them.
function findDifferences(wanted: Built, made: Built): Finding[] {
  const changes = differences(wanted, made).filter(({ kind, action }) => kind !== 'extension' || action !== 'added');
  return changes.map((change) => ({ code: 'squash-differs', level: 'error', message: sentenceOf(change), remedy }));
}

function sentenceOf(change: Change): string {
  const { action, kind, identity } = change;
  if (action === 'changed') return renderChange(change);
  return `${kind} ${identity} would be ${action === 'dropped' ? 'missing' : 'left over'}`;
}

function findOtherRows(wanted: readonly Content[], made: readonly Content[]): Finding[] {
  const digests = new Map(made.map(({ what, digest }) => [what, digest]));
  const others = [
    ...wanted.filter(({ what, digest }) => digests.get(what) !== digest).map(({ what }) => what),
    ...made.filter(({ what }) => !wanted.some((each) => each.what === what)).map(({ what }) => what),
  ];
  return others.map((what) => ({ code: 'squash-differs', level: 'error', message: `there would be other ${what}`, remedy }));
}
