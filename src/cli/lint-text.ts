import { relative } from 'node:path';
import type { LintedMigration, LintReport } from '../commands/index.js';
import { breakingText } from './breaking-text.js';
import { counted } from '../counted.js';
import type { Screen } from './screen.js';
import { findingText } from './text.js';
import { tracedStatementText, traceText } from './trace-text.js';

/** What the lint has against each migration; those with nothing to say are only counted. */
export function lintText(report: LintReport, screen: Screen): string {
  const { migrations, trace, sparedCount } = report;
  const told = migrations.filter(isWorthTelling).flatMap((migration) => ['', ...migrationText(migration, screen)]);
  return [
    howText(report),
    ...(trace ? traceText(trace, screen) : []),
    ...(sparedCount > 0 ? [`Older than \`lint.from\`, and not judged: ${sparedCount}.`] : []),
    ...told,
    ...(told.length > 0 ? [''] : []),
    totalsText(report),
  ].join('\n');
}

function howText({ database, released }: LintReport): string {
  const how = released === 'apart' ? 'each as if it were released alone' : 'as one release';
  if (database !== undefined) return `Judged against the catalog of the database "${database}", ${how}.`;
  return `Judged by the text alone, ${how}: without a database every table that was made before counts as large.`;
}

/** The last line, which counts. */
export function totalsText({ migrations, totals: { error, warn, info } }: LintReport): string {
  const unseen = migrations.filter(({ exactness, judgedBy }) => exactness === 'opaque' && judgedBy === 'capture').length;
  const breaking = migrations.filter(({ compatible }) => !compatible).length;
  const counts = [counted(error, 'error'), counted(warn, 'warning'), counted(info, 'remark')].join(', ');
  return [
    `${counted(migrations.length, 'migration')}: ${counts}`,
    ...(breaking > 0 ? [`${breaking} that older releases cannot live with`] : []),
    ...(unseen > 0 ? [`${unseen} not judged to the end`] : []),
  ].join('; ');
}

function isWorthTelling({ findings, compatible, safe, trace }: LintedMigration): boolean {
  return findings.length > 0 || !compatible || safe.length > 0 || trace !== undefined;
}

function migrationText(migration: LintedMigration, screen: Screen): string[] {
  const { name, file, findings, breaking: breaks, safe, trace = [] } = migration;
  const broken = breakingText({ ...migration, breaks, linted: true });
  return [
    `${screen.style('bold', name)}${stateText(migration)}`,
    ...findings.map((finding) => indented(`${findingText(finding, screen)}${placeText(finding.at ?? { file })}`)),
    ...(broken === undefined ? [] : [`  ${broken}`]),
    ...safe.map(({ rule, reason }) => `  opted out of ${rule}: ${reason}`),
    ...trace.flatMap((statement) => tracedStatementText(statement, screen)),
  ];
}

function stateText({ state }: LintedMigration): string {
  if (state === 'applied') return ', applied already: judged by itself, against the database as it is now';
  return state === 'outside' ? ', not among the migrations: judged by itself' : '';
}

function placeText({ file, line }: { readonly file?: string | undefined; readonly line?: number | undefined }): string {
  if (file === undefined) return '';
  return `\n    at ${relative('.', file)}${line === undefined ? '' : `:${line}`}`;
}

function indented(text: string): string {
  return text.replace(/^/gm, '  ');
}
