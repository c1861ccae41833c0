import type { Checked, Created, Drift, DriftedObject, Generated, Rename } from '../commands/index.js';
import type { Screen } from './screen.js';
import { findingText, here } from './text.js';

/** Whether the corners agree, and where they do not. */
export function checkedText({ ok, findings, compared, database, pending }: Checked, screen: Screen): string {
  const verdict = ok ? screen.style('green', 'agree') : screen.style('red', 'do not agree');
  const corners = compared.map((corner) => (corner === 'database' ? `the database "${database ?? ''}"` : corner));
  const last = corners.length > 1 ? ` and ${corners.at(-1) ?? ''}` : '';
  const named = `${corners.slice(0, Math.max(corners.length - 1, 1)).join(', ')}${last}`;
  const behind = pending.length === 0 ? [] : [`The database is compared up to where it stands: ${pending.length} pending.`];
  return [
    `${named[0]?.toUpperCase() ?? ''}${named.slice(1)} ${verdict}.`,
    ...behind,
    ...findings.map((finding) => findingText(finding, screen)),
  ].join('\n');
}

/** What create-all has made and recorded. */
export function createdText({ created, database, recorded }: Created): string {
  const what = created
    ? `Made the model in the database "${database}".`
    : `Nothing to do: the database "${database}" is what the model declares.`;
  return [what, ...(recorded.length > 0 ? [`Recorded: ${recorded.join(', ')}`] : [])].join('\n');
}

/** The files that were generated, in the order in which they run, each with what the lint has against it. */
export function generatedText({ migrations, findings }: Generated, screen: Screen): string {
  if (migrations.length === 0) return 'Nothing to write: the migrations make what the model declares.';
  const told = (migration?: string) =>
    findings.filter(({ at }) => at?.migration === migration).map((finding) => findingText(finding, screen));
  const written = migrations.flatMap(({ name, files }) => [
    ...files.map((file) => `Wrote ${here(file)}`),
    ...told(name).map((text) => text.replace(/^/gm, '  ')),
  ]);
  return [...written, ...told()].join('\n');
}

export function renameQuestion({ kind, from, to }: Rename): string {
  return `The ${kind} ${from} is gone, and ${to} is new and of the same shape. Was it renamed?`;
}

/** What differs from what was left, with what would mend it. */
export function driftText({ ok, database, since, objects }: Drift, screen: Screen): string {
  const verdict = ok ? screen.style('green', 'as it was left') : screen.style('red', 'not as it was left');
  const when =
    since === undefined ? 'No run has stored how it left the schema, or the history has changed since: that was not compared.' : undefined;
  return [`The schema of "${database}" is ${verdict}.`, ...(when === undefined ? [] : [when]), ...objects.map(objectText)].join('\n');
}

const sides = { run: 'the last run', migrations: 'the migrations' };

function objectText({ against, kind, identity, expected, actual, mend }: DriftedObject): string {
  const is = actual === undefined ? 'is gone' : expected === undefined ? 'is new' : 'was changed';
  return [
    `${kind} ${identity} ${is} (against ${sides[against]})`,
    ...(expected ? [`    expected: ${expected}`] : []),
    ...(actual ? [`    actual:   ${actual}`] : []),
    ...(mend ? mend.split('\n').map((line) => `    > ${line}`) : []),
  ].join('\n');
}
