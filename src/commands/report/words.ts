import { blocksReads, blocksWrites, conflictsWith, type LockMode } from '../../lock-mode.js';
import { html, type Html } from './html.js';

/** A duration as a person says it: `840 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`. */
export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return pair([Math.floor(seconds / 60), 'min'], [seconds % 60, 's']);
  const minutes = Math.round(seconds / 60);
  return pair([Math.floor(minutes / 60), 'h'], [minutes % 60, 'min']);
}

function pair(...units: readonly (readonly [number, string])[]): string {
  return units
    .filter(([value], index) => index === 0 || value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ');
}

/** A moment in UTC, like the names of the migrations. Takes what JSON makes of a date too. */
export function momentOf(at: Date | string): Html {
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}">${iso.slice(0, 16).replace('T', ' ')}</time>`;
}

/** How bad it is to be kept waiting by a lock, and the colour for it. */
export type Weight = 'bad' | 'warn' | 'calm';

export function weightOf(mode: LockMode): Weight {
  return blocksReads(mode) ? 'bad' : blocksWrites(mode) ? 'warn' : 'calm';
}

/** Who waits for a lock of this mode to be let go. */
export function whoWaits(mode: LockMode): string {
  if (blocksReads(mode)) return 'everybody waits: reads and writes';
  if (blocksWrites(mode)) {
    return conflictsWith(mode, 'ROW SHARE') ? 'writes and SELECT FOR UPDATE wait; plain reads go on' : 'writes wait; reads go on';
  }
  return conflictsWith(mode, 'SHARE UPDATE EXCLUSIVE')
    ? 'reads and writes go on; VACUUM and other schema changes wait'
    : 'reads and writes go on; most schema changes wait';
}
