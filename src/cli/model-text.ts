import type { Checked, Created, Generated, Rename } from '../commands/index.js';
import type { Screen } from './screen.js';
import { findingText, here } from './text.js';

/** Whether the corners agree, and where they do not. */
export function checkedText({ ok, findings, database, pending }: Checked, screen: Screen): string {
  const verdict = ok ? screen.style('green', 'agree') : screen.style('red', 'do not agree');
  const corners = database === undefined ? 'Model and migrations' : `Model, migrations and the database "${database}"`;
  const behind = pending.length === 0 ? [] : [`The database is compared up to where it stands: ${pending.length} pending.`];
  return [`${corners} ${verdict}.`, ...behind, ...findings.map((finding) => findingText(finding, screen))].join('\n');
}

/** What create-all has made and recorded. */
export function createdText({ created, database, recorded }: Created): string {
  const what = created
    ? `Made the model in the database "${database}".`
    : `Nothing to do: the database "${database}" is what the model declares.`;
  return [what, ...(recorded.length > 0 ? [`Recorded: ${recorded.join(', ')}`] : [])].join('\n');
}

/** The files that were generated, in the order in which they run. */
export function generatedText({ migrations, findings }: Generated, screen: Screen): string {
  if (migrations.length === 0) return 'Nothing to write: the migrations make what the model declares.';
  const files = migrations.flatMap((migration) => migration.files);
  return [...files.map((file) => `Wrote ${here(file)}`), ...findings.map((finding) => findingText(finding, screen))].join('\n');
}

export function renameQuestion({ kind, from, to }: Rename): string {
  return `The ${kind} ${from} is gone, and ${to} is new and of the same shape. Was it renamed?`;
}
