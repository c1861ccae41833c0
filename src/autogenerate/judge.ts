import { readFile, writeFile } from 'node:fs/promises';
import { defaultSmallTableRows } from '../config/index.js';
import type { Finding } from '../finding.js';
import { lintMigrations } from '../linted-steps.js';
import { lintQuery } from '../lint-plan.js';
import type { Revision } from '../revision/index.js';
import type { Session } from '../session/index.js';
import type { Migration } from '../source/index.js';
import type { Workplace } from '../workplace.js';

/**
 * What the lint has against migrations, in a scratch database in which those before them have run. It has no rows, so that every table counts as large,
 * whatever stands in the database that is named: that tells only how large a table is that is large there too. Each is judged as if it were released
 * alone, since nobody knows yet.
 */
export async function judgeFiles(place: Workplace, session: Session, migrations: readonly Migration[]): Promise<readonly Finding[]> {
  const { call, server } = place;
  const smallTableRows = call.config.lint === false ? defaultSmallTableRows : call.config.lint.smallTableRows;
  const told = server === 'given' ? lintQuery(place.session) : undefined;
  const judged = await lintMigrations({
    call,
    session,
    migrations,
    lint: { smallTableRows },
    sizes: { told, smallTableRows },
    standing: new Set(),
    released: 'apart',
    tracedOf: () => undefined,
  });
  return judged.flatMap(({ findings }) => findings);
}

/** Writes above the code of a migration what the lint has against it, but for remarks, and gives the findings with their lines as they are then. */
export async function noteFindings({ files: [file = ''] }: Pick<Revision, 'files'>, findings: readonly Finding[]): Promise<Finding[]> {
  const own = findings.filter(({ at }) => at?.file === file);
  const notes = [...new Set(own.filter(({ level }) => level !== 'info').map(noteOf))];
  if (notes.length === 0) return own;
  const sign = file.endsWith('.sql') ? '--' : '//';
  const lines = (await readFile(file, 'utf8')).split('\n');
  const head = lines.findIndex((line) => !line.startsWith(sign));
  await writeFile(file, [...lines.slice(0, head), ...notes.map((note) => `${sign} ${note}`), ...lines.slice(head)].join('\n'));
  return own.map((finding) => moved(finding, notes.length));
}

function noteOf({ code, message }: Finding): string {
  return `lint: ${code}: ${message.replaceAll(/\s+/g, ' ')}`;
}

function moved(finding: Finding, count: number): Finding {
  const { at } = finding;
  return at?.line === undefined ? finding : { ...finding, at: { ...at, line: at.line + count } };
}
