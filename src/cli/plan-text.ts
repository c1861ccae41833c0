import type { PlannedStep, PlannedUpgrade } from '../commands/index.js';
import type { Screen } from './screen.js';
import { findingText } from './text.js';

/** What an upgrade would run, migration by migration. */
export function planText(plan: PlannedUpgrade, screen: Screen): string {
  const { database, from = 'base', to = 'base', stamped, steps, findings } = plan;
  const what =
    steps.length === 0 ? 'An upgrade would run nothing.' : `An upgrade would run ${counted(steps.length, 'migration')} and end at ${to}.`;
  return [
    `The database "${database}" is at ${from}. ${what}`,
    ...(stamped.length > 0 ? [`Recorded without being run: ${stamped.join(', ')}.`] : []),
    ...findings.map((finding) => findingText(finding, screen)),
    ...steps.map((step, index) => stepText(step, index + 1, screen)),
  ].join('\n');
}

function stepText({ name, transaction, exactness, reason, statements }: PlannedStep, number: number, { style }: Screen): string {
  const title = `${number}. ${style('bold', name)}${transaction ? '' : ', outside a transaction'}`;
  const doubt = exactness === 'exact' ? [] : [`   ${style('yellow', exactness)}: ${reason ?? ''}`];
  return ['', title, ...doubt, ...statements.map(({ sql }) => `   ${sql.replaceAll('\n', '\n   ')};`)].join('\n');
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
