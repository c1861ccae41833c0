import { counted } from '../../counted.js';
import type { Finding } from '../../finding.js';
import type { PlannedStep, PlannedTrace, PlannedUpgrade } from '../plan.js';
import { badge } from './badge.js';
import { findingsList } from './findings.js';
import { html, type Html } from './html.js';
import { locksTable } from './locks-table.js';
import { statementList } from './statements.js';

/** What would run: findings, locks, and each migration with its statements. `id` is the beginning of the names of its places in the page. */
export function planPart(plan: PlannedUpgrade, findings: readonly Finding[], id: string): Html {
  const { steps, stamped, trace } = plan;
  const stepId = (number: number) => `${id}-m${number}`;
  const isOf = (step: PlannedStep, { at }: Finding) => at?.migration === step.name;
  const general = findings.filter((finding) => !steps.some((step) => isOf(step, finding)));
  return html`${
    general.length > 0 &&
    html`<h3>Findings</h3>
      ${findingsList(general)}`
  }
  ${
    stamped.length > 0 &&
    html`<h3>Recorded without being run</h3>
      <ul class="plain">
        ${stamped.map((name) => html`<li><span class="name">${name}</span></li>`)}
      </ul>`
  }
  ${steps.length > 0 && locksTable(plan, stepId)}
  ${
    steps.length > 0 &&
    html`<h3>Migrations</h3>
      ${trace && traceNote(trace)}`
  }
  ${steps.map((step, index) => {
    const own = findings.filter((finding) => isOf(step, finding));
    return stepArticle(step, { number: index + 1, id: stepId(index + 1), findings: own, traced: trace !== undefined });
  })}`;
}

function traceNote({ madeBy, failure }: PlannedTrace): Html {
  const how = madeBy === 'replay' ? 'made by the applied migrations' : 'made by pg_dump';
  const failed = failure && html`<p class="note bad text">The trace ended: ${failure.code}: ${failure.message}</p>`;
  return html`<p class="quiet">Traced in a scratch copy of the schema, ${how}, without rows: the times are those of empty tables.</p>
    ${failed}`;
}

interface Placed {
  readonly number: number;
  readonly id: string;
  readonly findings: readonly Finding[];
  /** Whether a trace was asked for. */
  readonly traced: boolean;
}

function stepArticle(step: PlannedStep, { number, id, findings, traced }: Placed): Html {
  const { name, breaks, compatible } = step;
  const undeclared = step.exactness === 'opaque' ? 'not all of it is known' : 'its config says so';
  const unseen = step.locks === undefined ? 'its config says so, or nobody has looked, since `lint` is false' : undeclared;
  const why = breaks.length > 0 ? `it ${breaks.join(', ')}` : unseen;
  return html`<article class="step" id="${id}" aria-labelledby="${id}-name">
    <h4 id="${id}-name"><span class="order">${number}</span> <span class="name">${name}</span></h4>
    <p class="line">${stepBadges(step)}</p>
    ${!compatible && html`<p class="text">Older releases cannot live with it: ${why}.</p>`}
    ${compatible && breaks.length > 0 && html`<p class="text">Older releases can run on it, as its config says, although it ${breaks.join(', ')}.</p>`}
    ${step.reason !== undefined && html`<p class="text quiet">${exactnessTexts[step.exactness]}: ${step.reason}.</p>`}
    ${traced && !step.trace && html`<p class="quiet">Not traced: the trace ended before it.</p>`} ${findingsList(findings)}
    ${statementList(step)}
  </article>`;
}

const exactnessTexts: Readonly<Record<PlannedStep['exactness'], string>> = {
  exact: 'What it would send is known',
  approximate: 'What it would send may differ',
  opaque: 'What it would send is not known to the end',
};

function stepBadges({ transaction, compatible, exactness, statements }: PlannedStep): Html[] {
  return [
    transaction ? badge('in a transaction', 'plain') : badge('outside a transaction', 'warn'),
    compatible ? badge('compatible', 'good') : badge('breaking', 'bad'),
    badge(`SQL ${exactness}`, exactness === 'exact' ? 'plain' : 'warn'),
    ...(statements.length === 0 && exactness === 'exact' ? [badge(counted(0, 'statement'), 'plain')] : []),
  ];
}
