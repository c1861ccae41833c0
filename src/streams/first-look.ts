import type { Call } from '../call.js';
import { findingsError } from '../errors.js';
import { errorsOf } from '../finding.js';
import { readHistory, tablesOf } from '../history/index.js';
import { nothingToDo, type Outcome } from '../outcome.js';
import { readState } from '../read-state.js';
import { openDatabase, type Opened } from '../run-call.js';
import type { State } from '../state.js';
import { withReplicas } from '../with-replicas.js';
import { naming, timingsOf, type Stream } from './stream.js';
import { tell, type Done } from './told.js';

/** What all streams are found to be: in sync, or with something to do; `unadopted`: there is no history, and `baseline` says where `main` stands. */
export type FirstLook = { readonly outcome: Outcome } | { readonly found: 'pending' | 'unadopted' };

interface Look {
  readonly stream: Stream;
  readonly opened: Opened;
  readonly state: State;
}

/**
 * Looks at all streams (`main` last) on one connection, with a round trip for each; takes no lock, writes nothing. Where all are in sync the call is done: replicas and
 * backfills are seen to. Else whatever stands in the way of any of them is told before anything is begun: EM_OUT_OF_SYNC, and EM_CHECK_FAILED for the replicas.
 */
export async function lookFirst(call: Call, streams: readonly Stream[]): Promise<FirstLook> {
  const main = streams.at(-1) as Stream;
  await using first = await openDatabase(call, listingOf(main));
  const looks: Look[] = [];
  for (const stream of streams) looks.push(await naming(stream.name, stream.call, async () => await lookAt(stream, { first, main })));
  if (looks.every(({ state }) => state.inSync))
    return { outcome: await withReplicas(first, 'in-sync', async () => await finish(call, looks)) };
  for (const { stream, state } of looks) await naming(stream.name, stream.call, () => Promise.resolve(refuseLasting(first, state)));
  if (call.config.replicas.length > 0 && call.config.mode !== 'verify') await (await import('../replicas/index.js')).checkReplicas(first);
  const isUnadopted = call.config.baseline !== undefined && (looks.at(-1)?.state.unmanaged.length ?? 0) > 0;
  return { found: isUnadopted ? 'unadopted' : 'pending' };
}

/** The migrations as they were listed when the order was made. */
export function listingOf({ migrations }: Stream): () => Promise<Stream['migrations']> {
  return () => Promise.resolve(migrations);
}

async function lookAt(stream: Stream, { first, main }: { readonly first: Opened; readonly main: Stream }): Promise<Look> {
  const { call, migrations } = stream;
  const tables = tablesOf(call.config.migrations);
  const history = stream === main ? first.history : await call.report.phase('read', () => readHistory(first.session, tables));
  const opened = { ...first, call, migrations, tables, history };
  return { stream, opened, state: await readState(opened) };
}

async function finish(call: Call, looks: readonly Look[]): Promise<Outcome> {
  const done: Done[] = [];
  for (const { stream, opened, state } of looks) {
    const outcome = nothingToDo(stream.call, state);
    const shown = opened.history.hasBackfills
      ? await naming(stream.name, stream.call, () => seeToBackfills(opened, { outcome, stream }))
      : outcome;
    done.push({ stream: stream.name, outcome: shown });
  }
  const streams = looks.map(({ stream }) => stream);
  return tell(call, done, timingsOf(call, streams));
}

async function seeToBackfills(opened: Opened, { outcome, stream }: { outcome: Outcome; stream: Stream }): Promise<Outcome> {
  return await (await import('../boot-backfills.js')).seeToBackfills(opened, { outcome, options: stream.options });
}

// What is pending, or what another process may be in the middle of, is for the boot of that stream to judge.
const passing = new Set(['history-pending', 'history-unfinished', 'history-unsettled', 'history-unmanaged']);

// One stream must not be changed for a release that another one keeps from starting.
function refuseLasting({ call, history }: Opened, { findings }: State): void {
  const { mode, baseline } = call.config;
  const isAdopted = mode !== 'apply' || baseline !== undefined;
  const lasting = errorsOf(findings).filter(({ code }) => !passing.has(code) || (code === 'history-unmanaged' && !isAdopted));
  if (lasting.length > 0)
    throw findingsError('EM_OUT_OF_SYNC', `the database "${history.facts.database}" does not match this code`, findings);
}
