import { counted } from '../../counted.js';
import type { HistoryEntry } from '../history.js';
import { html, type Html } from './html.js';
import { durationText, momentOf } from './words.js';

/** How long one migration took beside the longest, and how much of that it waited for locks. */
export function durationBar({ durationMs = 0, lockWaitMs = 0 }: Pick<HistoryEntry, 'durationMs' | 'lockWaitMs'>, longestMs: number): Html {
  const width = shareOf(durationMs, longestMs);
  const waited = shareOf(Math.min(lockWaitMs, durationMs), longestMs);
  const wait = waited > 0 ? html`<rect class="wait" width="${waited}" height="8" rx="1" />` : undefined;
  return html`<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
    <rect class="took" width="${Math.max(width, 0.6)}" height="8" rx="1" />
    ${wait}
  </svg>`;
}

function shareOf(ms: number, longestMs: number): number {
  return longestMs === 0 ? 0 : Math.round((ms / longestMs) * 1_000) / 10;
}

type Dated = HistoryEntry & { readonly at: Date };

/** When migrations were applied: a line for each, the higher the longer it took. Undefined where they came all at once. */
export function timeline(entries: readonly HistoryEntry[]): Html | undefined {
  const dated = entries.filter((entry): entry is Dated => entry.at !== undefined).map((entry) => ({ ...entry, at: new Date(entry.at) }));
  const times = dated.map(({ at }) => at.getTime());
  const [from, to] = [Math.min(...times), Math.max(...times)];
  if (dated.length < 2 || to - from < 60_000) return undefined;
  const longestMs = Math.max(...dated.map(({ durationMs = 0 }) => durationMs));
  const title = `${counted(dated.length, 'migration')}, each a line at the time when it was applied; the longest took ${durationText(longestMs)}`;
  const lines = dated.map((entry) => lineOf(entry, { x: 4 + ((entry.at.getTime() - from) / (to - from)) * 992, longestMs }));
  return html`<figure class="timeline">
    <svg viewBox="0 0 1000 64" preserveAspectRatio="none" role="img" aria-label="${title}">${lines}</svg>
    <figcaption><span>${momentOf(new Date(from))}</span><span>${momentOf(new Date(to))}</span></figcaption>
  </figure>`;
}

function lineOf({ name, durationMs, lockWaitMs = 0 }: Dated, { x, longestMs }: { readonly x: number; readonly longestMs: number }): Html {
  const height = (ms: number) => (longestMs === 0 ? 0 : Math.sqrt(ms / longestMs) * 52);
  const at = x.toFixed(1);
  const line = (kind: string, top: number) =>
    html`<line class="${kind}" x1="${at}" x2="${at}" y1="64" y2="${(60 - top).toFixed(1)}" vector-effect="non-scaling-stroke" />`;
  const wait = lockWaitMs > 0 ? line('wait', height(Math.min(lockWaitMs, durationMs ?? 0))) : undefined;
  const took = durationMs === undefined ? 'not run here' : durationText(durationMs);
  return html`<g><title>${name}, ${took}</title>${line(durationMs === undefined ? 'stamp' : 'took', height(durationMs ?? 0))}${wait}</g>`;
}
