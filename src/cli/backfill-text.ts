import type { BackfillProgress, RowAside } from '../backfills.js';
import { shellWord } from '../finding.js';
import { saidAgain, type Screen } from './screen.js';
import { renderTable, type Column } from './table.js';

/** What each backfill has come to, and beneath it what is wrong with those that stand still. */
export function backfillsText(all: readonly BackfillProgress[], screen: Screen): string {
  if (all.length === 0) return 'No backfills.';
  return [
    renderTable(all, columns(screen), screen.columns),
    ...all.flatMap((each) => (each.error ? ['', errorText(each, screen)] : [])),
    ...all.flatMap(({ name, status }) =>
      status === 'paused' ? ['', `${screen.style('yellow', name)} is paused`, ...commandLine(name, status, screen)] : [],
    ),
  ].join('\n');
}

function columns(screen: Screen): Column<BackfillProgress>[] {
  return [
    { title: 'backfill', text: ({ name }) => name },
    { title: 'status', text: (each) => statusText(each, screen) },
    { title: 'changed', text: ({ changedCount }) => String(changedCount), align: 'right' },
    { title: 'done', text: percentText, align: 'right' },
    { title: 'of about', text: ({ estimatedCount }) => (estimatedCount === undefined ? '' : String(estimatedCount)), align: 'right' },
    { title: 'rows/s', text: ({ rowsPerSecond }) => (rowsPerSecond === undefined ? '' : rowsPerSecond.toFixed(0)), align: 'right' },
    { title: 'left', text: ({ remainingMs }) => (remainingMs === undefined ? '' : durationText(remainingMs)), align: 'right' },
    { title: 'aside', text: ({ asideCount }) => (asideCount === 0 ? '' : String(asideCount)), align: 'right' },
  ];
}

function statusText({ status }: BackfillProgress, { style }: Screen): string {
  if (status === 'failed' || status === 'unverified') return style('red', status);
  if (status === 'paused' || status === 'cancelled') return style('yellow', status);
  return status;
}

function errorText({ name, status, error }: BackfillProgress, screen: Screen): string {
  const key = error?.key ? `, at the row with the key (${error.key.join(', ')})` : '';
  return [`${screen.style('red', name)}: ${error?.message ?? ''} (${error?.code ?? ''})${key}`, ...commandLine(name, status, screen)].join(
    '\n',
  );
}

const goingOn: Partial<Record<BackfillProgress['status'], string>> = {
  ...{ queued: 'run', running: 'run' }, // beside whoever else is at it
  ...{ failed: 'retry', unverified: 'retry' },
  paused: 'resume',
};

/** The command with which it goes on, where there is one. */
export function commandLine(name: string, status: BackfillProgress['status'], screen: Screen): string[] {
  const action = goingOn[status];
  return action === undefined ? [] : [`    $ ensure-migrated backfill ${action} ${shellWord(name)}${saidAgain(screen)}`];
}

/** The rows that were set aside: keys and reasons. */
export function asideText(rows: readonly RowAside[], screen: Screen): string {
  if (rows.length === 0) return 'No row is set aside.';
  const told: Column<RowAside>[] = [
    { title: 'backfill', text: ({ name }) => name },
    { title: 'key', text: ({ key }) => key.join(', ') },
    { title: 'code', text: ({ error }) => error.code },
    { title: 'reason', text: ({ error }) => error.message },
  ];
  return renderTable(rows, told, Math.max(screen.columns, 120));
}

type Moving = Pick<BackfillProgress, 'status' | 'seenCount' | 'changedCount' | 'estimatedCount' | 'rowsPerSecond' | 'remainingMs'> & {
  readonly backfill: string;
};

/** How far one is, in a sentence; on a terminal with a bar. */
export function movingText(moving: Moving, how: 'bar' | 'plain'): string {
  const { backfill, status, changedCount, estimatedCount, rowsPerSecond, remainingMs } = moving;
  const percent = percentText(moving);
  const parts = [
    percent === '' ? '' : `${percent} of about ${estimatedCount} rows`,
    `${changedCount} changed`,
    rowsPerSecond === undefined ? '' : `${rowsPerSecond.toFixed(0)} rows/s`,
    remainingMs === undefined ? '' : `${durationText(remainingMs)} left`,
    status === 'running' ? '' : status,
  ];
  const bar = how === 'bar' && percent !== '' ? ` ${barOf(Number.parseInt(percent, 10))}` : '';
  return `${backfill}${bar} ${parts.filter(Boolean).join(', ')}`;
}

const barLength = 20;

function barOf(percent: number): string {
  const full = Math.round((percent * barLength) / 100);
  return '█'.repeat(full) + '░'.repeat(barLength - full);
}

// The number of rows is an estimate: it is not all before it has ended.
function percentText({ status, seenCount, estimatedCount }: Pick<BackfillProgress, 'status' | 'seenCount' | 'estimatedCount'>): string {
  if (status === 'done') return '100 %';
  if (status === 'queued' || !estimatedCount) return '';
  return `${Math.min(99, Math.floor((100 * seenCount) / estimatedCount))} %`;
}

function durationText(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
