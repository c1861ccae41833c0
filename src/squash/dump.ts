import { dumpBaseline } from '../baseline-dump.js';
import type { BaselineScripts } from '../baseline-script.js';
import { readHistory } from '../history/index.js';
import { readBuilt, type Built } from '../likeness.js';
import { replay } from '../replay.js';
import { withScratch, type Scratch } from '../scratch.js';
import type { Session } from '../session/index.js';
import { renderReplaced, type Migration } from '../source/index.js';
import type { Workplace } from '../workplace.js';
import { pathsOf, refused, type Chosen } from './choose.js';
import { readContents, type Content } from './contents.js';

/** What becomes of what the old migrations write, beside the schema. */
export type Rows = 'keep' | 'leave-out';

/** What the old migrations make, from nothing. */
export interface Chain {
  readonly empty: Built;
  readonly squashed: Built;
  /** With those that come later. */
  readonly head: Built;
  /** That the new migration has to write. */
  readonly rows: readonly Content[];
  readonly scripts: BaselineScripts;
}

/** Runs the old migrations in a scratch database, and dumps what they make there. Throws EM_PLAN_REFUSED for rows, and moved sequences, of which nobody has said what becomes of them. */
export async function dumpChain(place: Workplace, chosen: Chosen, wanted: Rows | undefined): Promise<Chain> {
  return await withScratch(place, async (scratch) => {
    const look = async (session: Session) => await lookAt(place, session);
    const run = async <T>(migrations: readonly Migration[], then: (session: Session) => Promise<T>) =>
      await replay({ call: place.call, scratch, migrations, schema: place.schema }, then);
    const empty = await run([], look);
    const made = await run(chosen.migrations, async (session) => {
      const rows = await readContents(session, place.tables);
      if (wanted === undefined) refuseRows(rows);
      const kept = wanted === 'keep' && rows.length > 0 ? rows : [];
      return { squashed: await look(session), rows: kept, scripts: await dump({ place, chosen, session, scratch }, kept) };
    });
    return { empty, ...made, head: await run(chosen.all, look) };
  });
}

/** What stands in a scratch database, without the tables of the history. */
export async function lookAt({ call, tables }: Workplace, session: Session): Promise<Built> {
  return await readBuilt(session, tables, call.config.timeouts.lockMs);
}

interface Dumped {
  readonly place: Workplace;
  readonly chosen: Chosen;
  readonly session: Session;
  readonly scratch: Scratch;
}

async function dump({ place, chosen, session, scratch }: Dumped, rows: readonly Content[]): Promise<BaselineScripts> {
  const { call, tables } = place;
  const [file] = pathsOf(chosen);
  const { facts } = await readHistory(session, tables);
  // Breaking: a release that has the old files only would run them in a database that the squash has made.
  const title = [
    '-- Written by ensure-migrated squash. It runs where none of these has run, and counts as applied where all of them have.',
    '-- breaking: true',
  ]
    .concat(chosen.replaces.map(renderReplaced))
    .join('\n');
  const source = scratch.connection;
  const scripts = await dumpBaseline({
    ...{ call, session, source, tables, facts, file, title },
    rows: rows.length > 0 ? 'as inserts' : 'left out',
  });
  if (scripts) return scripts;
  throw refused('the migrations up to there make nothing', 'Squash to a later revision.');
}

function refuseRows(rows: readonly Content[]): void {
  if (rows.length === 0) return;
  const shown = rows.slice(0, 10).map(({ what, count }) => `${what} (${count})`);
  const more = rows.length > shown.length ? ` and ${rows.length - shown.length} more` : '';
  throw refused(
    `the migrations up to there write what the schema alone would lose in a fresh database: ${shown.join(', ')}${more}`,
    'Say what becomes of it: `--rows keep` writes it into the squash, as inserts and setval(), `--rows leave-out` does not.',
  );
}
