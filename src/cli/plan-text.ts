import type { PlannedStep, PlannedUpgrade } from '../commands/index.js';
import { breakingText } from './breaking-text.js';
import { counted } from '../counted.js';
import type { Screen } from './screen.js';
import { findingText } from './text.js';
import { tracedStatementText, traceText } from './trace-text.js';

/** What an upgrade would run, migration by migration. */
export function planText(plan: PlannedUpgrade, screen: Screen): string {
  const { database, from = 'base', to = 'base', stamped, steps, findings, trace } = plan;
  const what =
    steps.length === 0 ? 'An upgrade would run nothing.' : `An upgrade would run ${counted(steps.length, 'migration')} and end at ${to}.`;
  return [
    `The database "${database}" is at ${from}. ${what}`,
    ...(stamped.length > 0 ? [`Recorded without being run: ${stamped.join(', ')}.`] : []),
    ...(trace ? traceText(trace, screen) : []),
    ...findings.map((finding) => findingText(finding, screen)),
    ...steps.map((step, index) => stepText(step, index + 1, screen)),
  ].join('\n');
}

function stepText(step: PlannedStep, number: number, screen: Screen): string {
  const { name, transaction, exactness, reason, statements, locks, trace } = step;
  const { style } = screen;
  const title = `${number}. ${style('bold', name)}${transaction ? '' : ', outside a transaction'}`;
  const broken = breakingText({ ...step, linted: locks !== undefined });
  const heading = ['', title, ...(broken === undefined ? [] : [`   ${style('yellow', broken)}`])];
  if (trace) return [...heading, ...trace.flatMap((statement) => tracedStatementText(statement, screen))].join('\n');
  const doubt = exactness === 'exact' ? [] : [`   ${style('yellow', exactness)}: ${reason ?? ''}`];
  return [...heading, ...doubt, ...statements.map(({ sql }) => `   ${sql.replaceAll('\n', '\n   ')};`)].join('\n');
}
