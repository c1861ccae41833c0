import type { Finding } from '../../finding.js';
import type { MendableFinding } from '../status.js';
import { badge } from './badge.js';
import { html, type Html } from './html.js';

type Shown = Finding | MendableFinding;

const weights = { error: 'bad', warn: 'warn', info: 'calm' } as const;

/** Findings, each with what to do about it; the worst first. Nothing where there are none. */
export function findingsList(findings: readonly Shown[]): Html | undefined {
  if (findings.length === 0) return undefined;
  const levels = Object.keys(weights) as Finding['level'][];
  const sorted = levels.flatMap((level) => findings.filter((finding) => finding.level === level));
  return html`<ul class="findings">
    ${sorted.map(findingItem)}
  </ul>`;
}

function findingItem(finding: Shown): Html {
  const { code, level, message, remedy, at } = finding;
  const command = 'command' in finding ? finding.command : undefined;
  return html`<li class="note ${weights[level]}">
    <p class="line">${badge(level, weights[level])} <code>${code}</code>${placeOf(at)}</p>
    <p class="text">${message}</p>
    <p class="text remedy">${remedy}</p>
    ${command && html`<pre><code>${command}</code></pre>`}
  </li>`;
}

// The directory is that of the machine that has made the page.
function placeOf({ migration, file, line }: NonNullable<Finding['at']> = {}): Html | undefined {
  const name = migration ?? file?.split(/[\\/]/).at(-1);
  return name === undefined ? undefined : html` <span class="quiet">in ${name}${line && `, line ${line}`}</span>`;
}

/** What is found, counted by level: `2 errors, 1 warning`. */
export function findingsCount(findings: readonly Shown[]): string | undefined {
  const nouns = { error: 'error', warn: 'warning', info: 'remark' } as const;
  const counts = Object.entries(nouns).flatMap(([level, noun]) => {
    const count = findings.filter((finding) => finding.level === level).length;
    return count === 0 ? [] : [`${count} ${noun}${count === 1 ? '' : 's'}`];
  });
  return counts.length === 0 ? undefined : counts.join(', ');
}
