import type { Current, HistoryEntry, Preflight, Status } from '../commands/index.js';
import type { Outcome } from '../outcome.js';
import { secondsOf } from './text.js';
import type { Cells } from './verb.js';

/** The essentials of results, for one table of several. */

export function outcomeCells({ status, from, to, applied, findings }: Outcome): Cells {
  const moved = applied.length > 0;
  return { status, from: moved ? (from ?? 'base') : undefined, to: to ?? 'base', applied: applied.length, findings: countOf(findings) };
}

export function currentCells({ revision, isHead, pendingCount }: Current): Cells {
  return { at: revision ?? 'base', head: isHead ? 'yes' : 'no', pending: pendingCount };
}

export function statusCells({ inSync, revision, head, ahead, pending, findings }: Status): Cells {
  return {
    status: !inSync ? 'not in sync' : ahead.length > 0 ? 'ahead' : 'in sync',
    at: revision ?? 'base',
    head: revision === head ? undefined : (head ?? 'base'),
    pending: pending.length,
    findings: countOf(findings),
  };
}

export function preflightCells({ ok, pending, findings }: Preflight): Cells {
  return { status: ok ? 'ready' : 'not ready', pending: pending.length, findings: countOf(findings) };
}

export function historyCells(entries: readonly HistoryEntry[], detail: 'short' | 'verbose'): Cells[] {
  return entries.map(({ name, status, checksum, at, durationMs, batch, how, application, version, environment, host }) => ({
    migration: name,
    status: checksum === 'edited' ? 'edited' : status,
    'applied at': at && secondsOf(at),
    ms: durationMs,
    batch: batch ?? undefined,
    ...(detail === 'verbose' && { how, application: [application, version].filter(Boolean).join(' '), environment, host }),
  }));
}

// Nothing stands where there is nothing to look at.
function countOf(findings: readonly unknown[]): number | undefined {
  return findings.length || undefined;
}
