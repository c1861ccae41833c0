import { counted } from '../../counted.js';
import { withoutRemedy, type MigrationError } from '../../errors.js';
import type { Finding } from '../../finding.js';
import type { HistoryEntry } from '../history.js';
import type { PlannedUpgrade } from '../plan.js';
import type { Preflight } from '../preflight.js';
import type { Status } from '../status.js';
import { badge, facts } from './badge.js';
import { findingsCount, findingsList } from './findings.js';
import { historyPart } from './history-part.js';
import { html, type Html } from './html.js';
import { planPart } from './plan-part.js';
import { durationText, momentOf } from './words.js';

/** What verbs have given of one database, tenant or stream: as they gave it, or as `--json` has printed it. All that is there is shown. */
export interface ReportSection {
  /** What it is of, where a page tells of several. Default: the name of the database. */
  readonly title?: string;
  readonly status?: Status;
  readonly history?: readonly HistoryEntry[];
  readonly preflight?: Preflight;
  readonly plan?: PlannedUpgrade;
  /** Why there is nothing else. */
  readonly error?: Pick<MigrationError, 'code' | 'message' | 'remedy'>;
}

/** What a section is called. */
export function titleOf({ title, status, plan, preflight }: ReportSection): string {
  const database = (status ?? plan ?? preflight)?.database;
  return title ?? (database === undefined ? 'The database' : `Database ${database}`);
}

/** The one word that tells how it stands. */
export function verdict(section: ReportSection): Html {
  const { status, history, plan, preflight, error } = section;
  if (error) return badge('failed', 'bad');
  if (plan) {
    const isRefused = allFindings(section).some(({ level }) => level === 'error');
    if (isRefused) return badge('would be refused', 'bad');
    return plan.steps.length > 0 ? badge('ready to run', 'good') : badge('nothing to run', 'plain');
  }
  if (status?.inSync) return badge(status.ahead.length > 0 ? 'ahead' : 'in sync', 'good');
  if (status) return badge('not in sync', 'bad');
  if (preflight) return preflight.ok ? badge('ready', 'good') : badge('not ready', 'bad');
  return history ? badge(counted(history.length, 'migration'), 'plain') : badge('not looked at', 'warn');
}

/** The markup of a section. `id` is its name in the page. */
export function sectionOf(section: ReportSection, id: string): Html {
  const { status, history, plan, preflight, error } = section;
  const isEmpty = !(status ?? history ?? plan ?? preflight);
  const findings = allFindings(section);
  return html`<section id="${id}" aria-labelledby="${id}-title">
    <header>
      <h2 id="${id}-title">${titleOf(section)}</h2>
      ${verdict(section)}
    </header>
    ${error ? failureNote(error) : isEmpty ? undefined : factsOf(section, findings)} ${status && backfillsNote(status)}
    ${
      plan
        ? planPart(plan, findings, id)
        : findings.length > 0 &&
          html`<h3>Findings</h3>
            ${findingsList(findings)}`
    }
    ${history && historyPart(history)}
  </section>`;
}

function failureNote(error: NonNullable<ReportSection['error']>): Html {
  return html`<div class="note bad">
    <p class="line"><code>${error.code}</code></p>
    <p class="text">${withoutRemedy(error)}</p>
    <p class="text remedy">${error.remedy}</p>
  </div>`;
}

// The plan says it too, where it sees it.
function allFindings({ status, plan, preflight }: ReportSection): readonly Finding[] {
  const told = new Map<string, Finding>();
  for (const finding of [status, plan, preflight].flatMap((result) => result?.findings ?? [])) {
    const { code, message, at } = finding;
    const key = JSON.stringify([code, message, at?.migration, at?.line]);
    if (!told.has(key) && !(plan && code === 'history-pending')) told.set(key, finding);
  }
  return [...told.values()];
}

function factsOf(section: ReportSection, findings: readonly Finding[]): Html {
  const { status, plan, preflight, history = [] } = section;
  const database = section.title === undefined ? undefined : (status ?? plan ?? preflight)?.database;
  const lock = status?.lock ?? preflight?.lock;
  return facts([
    ['Database', database && nameOf(database)],
    ...(plan ? planFacts(plan) : historyFacts(history, status)),
    ['Findings', findingsCount(findings)],
    ['Lock held by', lock && `pid ${lock.pid} (${lock.application ?? 'not visible to this role'}, ${lock.host ?? 'local'})`],
  ]);
}

type Facts = Parameters<typeof facts>[0];

function planFacts({ from, to, steps, transaction }: PlannedUpgrade): Facts {
  const breaking = steps.filter(({ compatible }) => !compatible).length;
  const outside = steps.filter((step) => !step.transaction).length;
  const each = outside === 0 ? 'one for each migration' : `one for each migration, ${outside} outside of one`;
  return [
    ['From', nameOf(from ?? 'base')],
    ['To', nameOf(to ?? 'base')],
    ['Migrations', steps.length],
    ['Transactions', steps.length === 0 ? undefined : transaction === 'all' ? 'one for all of them' : each],
    ['Breaking', breaking === 0 ? undefined : breaking],
  ];
}

function historyFacts(entries: readonly HistoryEntry[], status: Status | undefined): Facts {
  const applied = entries.filter(({ at }) => at !== undefined);
  const pending = entries.filter(({ status: each }) => each === 'pending').length;
  const newest = applied.at(-1);
  const sum = (key: 'durationMs' | 'lockWaitMs') => applied.reduce((total, { [key]: ms = 0 }) => total + ms, 0);
  const revision = status ? status.revision : newest?.name;
  return [
    ['Revision', nameOf(revision ?? 'base')],
    ['Head', status && (status.head === revision ? 'the same' : nameOf(status.head ?? 'base'))],
    ['Applied', applied.length],
    ['Pending', pending],
    ['Unfinished', status && status.unfinished.length > 0 ? status.unfinished.length : undefined],
    ['Newest applied', newest?.at && momentOf(newest.at)],
    ['Took in all', applied.length > 0 ? durationText(sum('durationMs')) : undefined],
    ['Waited for locks', applied.length > 0 ? durationText(sum('lockWaitMs')) : undefined],
  ];
}

function nameOf(text: string): Html {
  return html`<span class="name">${text}</span>`;
}

function backfillsNote({ backfills }: Status): Html | undefined {
  if (backfills.length === 0) return undefined;
  const items = backfills.map(({ name, status, seenCount, estimatedCount, error }) => {
    const of = estimatedCount === undefined ? '' : ` of about ${Math.max(estimatedCount, seenCount)}`;
    return html`<li>
      <span class="name">${name}</span> ${badge(status, error ? 'bad' : 'calm')}
      <span class="small quiet">${seenCount}${of} rows seen${error && `; ${error.message}`}</span>
    </li>`;
  });
  return html`<h3>Backfills that are not done</h3>
    <ul class="plain">
      ${items}
    </ul>`;
}
