import type { LintReport } from '../commands/index.js';
import type { Finding } from '../finding.js';
import { totalsText } from './lint-text.js';
import { pathBelow } from './place.js';

const commands = { error: 'error', warn: 'warning', info: 'notice' } as const;

/** The findings as commands that a GitHub workflow makes annotations of, and the totals for its log. */
export function lintAnnotations(report: LintReport, root: string): string {
  const findings = report.migrations.flatMap((migration) => migration.findings);
  const failure = report.trace?.failure;
  const ended = failure ? [`::warning title=${escapeProperty(`The trace ended: ${failure.code}`)}::${escapeData(failure.message)}`] : [];
  return [...findings.map((finding) => annotation(finding, root)), ...ended, totalsText(report)].join('\n');
}

function annotation({ code, level, message, remedy, at }: Finding, root: string): string {
  const place = {
    ...(at?.file !== undefined && { file: pathBelow(root, at.file) }),
    ...(at?.line !== undefined && { line: String(at.line) }),
    title: at?.migration === undefined ? code : `${code} in ${at.migration}`,
  };
  const properties = Object.entries(place).map(([name, value]) => `${name}=${escapeProperty(value)}`);
  return `::${commands[level]} ${properties.join(',')}::${escapeData(`${message}\n${remedy}`)}`;
}

// As @actions/core does: the runner undoes exactly these.
function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
