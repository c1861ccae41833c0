import type { PlannedStep, PlannedUpgrade } from '../plan.js';
import { badge } from './badge.js';
import { html, tableHead, type Html, type Part } from './html.js';
import { locksOf, type TableLock } from './locks.js';
import { weightOf, whoWaits } from './words.js';

/** What is locked, a table a row, the worst first; and what is not known of that. `stepId` names the place of a step in the page. */
export function locksTable({ steps, transaction }: PlannedUpgrade, stepId: (number: number) => string): Html {
  const locks = locksOf(steps);
  const how = transaction === 'all' ? 'until the one transaction ends' : 'until the transaction of the migration ends';
  return html`<h3>Locks</h3>
    ${locks.length === 0 ? html`<p class="quiet">No table that is there now is known to be locked.</p>` : undefined}
    ${
      locks.length > 0 &&
      html`<table class="stacked" role="table">
        <caption>
          The strongest lock on each table that is there now. In a transaction it is held ${how}.
        </caption>
        ${tableHead(titles)}
        <tbody role="rowgroup">
          ${locks.map((lock) => lockRow(lock, stepId))}
        </tbody>
      </table>`
    }
    ${unknown(steps, stepId)}`;
}

const titles = ['Table', 'Lock', 'Who waits', 'What is done', 'By', 'How it is known'];

function lockRow({ table, mode, index, work, known, steps }: TableLock, stepId: (number: number) => string): Html {
  const cells: Part[] = [
    html`${badge(mode, weightOf(mode))}${index && html` <span class="small quiet">on its index ${index}</span>`}`,
    whoWaits(mode),
    work.join(', '),
    html`<span>${steps.map((number) => html`<a href="#${stepId(number)}" aria-label="Migration ${number}">${number}</a> `)}</span>`,
    known,
  ];
  return html`<tr role="row">
    <th scope="row" role="rowheader"><span class="name">${table}</span></th>
    ${cells.map(
      (content, column) =>
        html`<td role="cell" data-title="${titles[column + 1]}" ${content === '' && html` class="empty"`}>${content}</td>`,
    )}
  </tr>`;
}

function unknown(steps: readonly PlannedStep[], stepId: (number: number) => string): Html | undefined {
  const places = steps.flatMap((step, index) => (isKnown(step) ? [] : [index + 1]));
  if (places.length === 0) return undefined;
  const links = places.map((number, index) => html`${index > 0 && ', '}<a href="#${stepId(number)}">${number}</a>`);
  return html`<p class="note warn">
    More may be locked: not all that ${places.length === 1 ? 'migration' : 'the migrations'} ${links} would send, or lock, is known.
  </p>`;
}

function isKnown({ trace, exactness, locks }: PlannedStep): boolean {
  if (trace) return trace.every(({ locksFrom, error }) => locksFrom !== 'unknown' && !error);
  return locks !== undefined && exactness !== 'opaque';
}
