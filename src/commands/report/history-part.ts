import type { HistoryEntry } from '../history.js';
import { badge } from './badge.js';
import { html, tableHead, type Html, type Part } from './html.js';
import { durationBar, timeline } from './timeline.js';
import { durationText, momentOf, type Weight } from './words.js';

/** What is pending, in the order in which it would run, and what was applied, the newest first. */
export function historyPart(entries: readonly HistoryEntry[]): Html {
  const waiting = entries.filter(isWaiting);
  const applied = entries.filter((entry) => !isWaiting(entry));
  return html`${waiting.length > 0 && pendingList(waiting)}
    <h3>Applied</h3>
    ${applied.length === 0 ? html`<p class="quiet">Nothing yet.</p>` : appliedTable(applied)}`;
}

// What has no place in the history yet; an unfinished migration has one where only its way back did not end.
function isWaiting({ status, at }: HistoryEntry): boolean {
  return status === 'pending' || (status === 'unfinished' && at === undefined);
}

function pendingList(entries: readonly HistoryEntry[]): Html {
  const item = (entry: HistoryEntry) =>
    html`<li><span class="name">${entry.name}</span> ${entry.status !== 'pending' && statusBadge(entry)}${notes(entry)}</li>`;
  return html`<h3>Pending</h3>
    <ol class="pending">
      ${entries.map(item)}
    </ol>`;
}

function appliedTable(entries: readonly HistoryEntry[]): Html {
  const longestMs = Math.max(0, ...entries.map(({ durationMs = 0 }) => durationMs));
  const titles = ['Migration', 'State', 'Applied', 'Took', 'Waited for locks'];
  return html`${timeline(entries)}
    <table class="stacked" role="table">
      <caption>
        The newest first. Times are UTC.
        <span class="key"><i class="took"></i>took</span>
        <span class="key"><i class="wait"></i>of it waiting for locks</span>
      </caption>
      ${tableHead(titles)} ${runsOf(entries).map((run) => runRows(run, longestMs))}
    </table>`;
}

/** Migrations that were applied together. */
type Run = readonly [HistoryEntry, ...HistoryEntry[]];

function runsOf(entries: readonly HistoryEntry[]): readonly Run[] {
  const runs: [HistoryEntry, ...HistoryEntry[]][] = [];
  for (const entry of [...entries].reverse()) {
    const last = runs.at(-1);
    if (last && runText(last[0]) === runText(entry)) last.push(entry);
    else runs.push([entry]);
  }
  return runs;
}

function runRows(run: Run, longestMs: number): Html {
  return html`<tbody role="rowgroup">
    <tr class="run" role="row">
      <th scope="rowgroup" colspan="5" role="rowheader">${runText(run[0])}</th>
    </tr>
    ${run.map((entry) => appliedRow(entry, longestMs))}
  </tbody>`;
}

function runText({ how, batch, application, version, environment, host }: HistoryEntry): string {
  const what =
    how === 'stamped'
      ? 'Recorded without being run'
      : how === 'knex'
        ? `By knex, batch ${batch ?? 'unknown'}`
        : `Batch ${batch ?? 'unknown'}`;
  const who = [application, version].filter(Boolean).join(' ');
  return [what, who, environment, host && `on ${host}`].filter(Boolean).join(', ');
}

function appliedRow(entry: HistoryEntry, longestMs: number): Html {
  const { name, at, durationMs, lockWaitMs } = entry;
  const took =
    durationMs === undefined ? undefined : html`${durationBar(entry, longestMs)}<span class="number">${durationText(durationMs)}</span>`;
  return html`<tr role="row">
    <th scope="row" role="rowheader"><span class="name">${name}</span>${notes(entry)}</th>
    ${cell('State', statusBadge(entry))} ${cell('Applied', at && momentOf(at))} ${cell('Took', took)}
    ${cell('Waited for locks', lockWaitMs === undefined ? undefined : html`<span class="number">${durationText(lockWaitMs)}</span>`)}
  </tr>`;
}

function cell(title: string, content: Html | undefined): Html {
  return html`<td role="cell" data-title="${title}" ${content === undefined ? html` class="empty"` : undefined}>${content}</td>`;
}

const weights: Readonly<Record<HistoryEntry['status'], Weight | 'good'>> = {
  applied: 'good',
  pending: 'calm',
  missing: 'bad',
  ahead: 'warn',
  unfinished: 'bad',
};

function statusBadge({ status, checksum }: HistoryEntry): Html {
  return checksum === 'edited' ? badge('edited since', 'bad') : badge(status, weights[status]);
}

function notes(entry: HistoryEntry): Part {
  const { failed, replacedBy, compatible, tries = 1, by, reason } = entry;
  const said = [
    ...(tries > 1 ? [`tried ${tries} times`] : []),
    ...(compatible === false && entry.how === 'run' ? ['older releases cannot live with it'] : []),
    ...(replacedBy === undefined ? [] : [`a part of ${replacedBy}`]),
    ...(reason === undefined ? [] : [`${by === undefined ? '' : `${by}: `}${reason}`]),
  ];
  const quiet = said.length > 0 ? html`<span class="small quiet">${said.join('; ')}</span>` : undefined;
  return html`${quiet}${failed && failure(failed)}`;
}

function failure({ count, at, direction, sqlState, message }: NonNullable<HistoryEntry['failed']>): Html {
  const way = direction === 'down' ? ' to be taken back' : '';
  const why = [message, sqlState && `SQLSTATE ${sqlState}`].filter(Boolean).join(', ');
  return html`<span class="small failed"
    >failed${way} ${count === 1 ? 'once' : `${count} times`}, last at ${momentOf(at)}${why && `: ${why}`}</span
  >`;
}
