import { counted } from '../../counted.js';
import type { TracedStatement } from '../../trace/index.js';
import type { PlannedStatement, PlannedStep } from '../plan.js';
import { badge, scrolling } from './badge.js';
import { html, type Html } from './html.js';
import { durationText, weightOf, whoWaits } from './words.js';

const limits = { openCount: 12, shownCount: 200, shownLength: 20_000 };

/** The statements of a migration: what it sent in the copy where there is a trace, else what it would send. */
export function statementList({ name, trace, statements }: PlannedStep): Html | undefined {
  const items = trace?.map(tracedItem) ?? statements.map(plannedItem);
  if (items.length === 0) return undefined;
  const shown = items.slice(0, limits.shownCount);
  const more = items.length - shown.length;
  const content = html`<ol>
      ${shown.map((item) => item(name))}
    </ol>
    ${more > 0 && html`<p class="quiet">And ${counted(more, 'statement')} more.</p>`}`;
  return html`<details class="sql" ${items.length <= limits.openCount && html` open`}>
    <summary>${counted(items.length, 'statement')}</summary>
    ${content}
  </details>`;
}

type Item = (migration: string) => Html;

function plannedItem({ sql, effect }: PlannedStatement): Item {
  const read = effect === 'read' ? html`<p class="small quiet">Only reads.</p>` : undefined;
  return (migration) => html`<li>${sqlBox(sql, migration)}${read}</li>`;
}

function tracedItem({ sql, locks, rewritten, scanned, indexesBuilt, durationMs, locksFrom, error }: TracedStatement): Item {
  const done = [
    ...locks.map(
      ({ table, mode, index }) =>
        html`${badge(mode, weightOf(mode))} on <span class="name">${index === undefined ? table : `${index} of ${table}`}</span>:
          ${whoWaits(mode)}`,
    ),
    ...rewritten.map((table) => html`${badge('rewrites', 'bad')} <span class="name">${table}</span>`),
    ...scanned.map((table) => html`${badge('scans', 'warn')} <span class="name">${table}</span>`),
    ...indexesBuilt.map((index) => html`${badge('builds', 'warn')} <span class="name">${index}</span>`),
    ...(locksFrom === 'unknown' && !error ? [html`What it locks is not known.`] : []),
    ...(error ? [html`${badge('fails', 'bad')} ${error.message}${error.code && `, SQLSTATE ${error.code}`}`] : []),
  ];
  const how = locksFrom === 'statement' ? ', locks by the manual' : '';
  const list =
    done.length > 0
      ? html`<ul class="done">
          ${done.map((each) => html`<li>${each}</li>`)}
        </ul>`
      : undefined;
  return (migration) =>
    html`<li>
      ${sqlBox(sql, migration)}${list}
      <p class="small quiet">${durationText(durationMs)} in the copy, whose tables are empty${how}</p>
    </li>`;
}

function sqlBox(sql: string, migration: string): Html {
  const cut = sql.length > limits.shownLength;
  const shown = cut ? `${sql.slice(0, limits.shownLength)}\n...` : sql;
  const more = cut ? html`<p class="small quiet">${sql.length - limits.shownLength} characters more.</p>` : undefined;
  return html`${scrolling(`SQL of ${migration}`, html`<pre><code>${shown}</code></pre>`)}${more}`;
}
