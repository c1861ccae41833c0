import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { LintReport } from '../commands/index.js';
import { lintRuleTable } from '../config/index.js';
import type { Finding, Level } from '../finding.js';
import { readOwnPackage } from '../own-package.js';
import { pathBelow } from './place.js';

const levels = { error: 'error', warn: 'warning', info: 'note', off: 'none' } as const;

/**
 * A report as SARIF 2.1.0 (OASIS), with what GitHub's code scanning asks for: each result has a place, and names a rule that the driver
 * describes. Paths are relative to the root.
 */
export function renderSarif(report: LintReport, root: string): object {
  const findings = report.migrations.flatMap((migration) => migration.findings);
  const own = Object.entries(lintRuleTable).map(([id, { level, sentence }]) => ruleOf(id, level, sentence));
  const others = findings.filter(({ code }) => !Object.hasOwn(lintRuleTable, code));
  const found = new Map(others.map(({ code, level }) => [code, ruleOf(code, level, otherSentence)]));
  const rules = [...own, ...found.values()];
  const index = new Map(rules.map(({ id }, position) => [id, position]));
  const { name, version } = readOwnPackage();
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name, semanticVersion: version, informationUri: pageOf('docs/lint.md'), rules } },
        invocations: [{ executionSuccessful: true, toolExecutionNotifications: notificationsOf(report) }],
        columnKind: 'utf16CodeUnits',
        results: findings.map((finding) => ({ ...resultOf(finding, root), ruleIndex: index.get(finding.code) })),
      },
    ],
  };
}

const otherSentence = 'What ensure-migrated says of a migration besides the rules of its lint.';

function ruleOf(id: string, level: Level, sentence: string) {
  const page = Object.hasOwn(lintRuleTable, id) ? `docs/lint.md#${id}` : 'docs/errors.md#before-the-first-change';
  const helpUri = pageOf(page);
  return {
    id,
    name: id,
    shortDescription: { text: sentence },
    fullDescription: { text: sentence },
    defaultConfiguration: { enabled: level !== 'off', level: levels[level] },
    helpUri,
    help: { text: `${sentence} See ${helpUri}`, markdown: `${sentence} [Bad and good](${helpUri}).` },
    properties: { tags: ['database', 'migration'] },
  };
}

function resultOf({ code, level, message, remedy, at }: Finding, root: string) {
  // GitHub refuses the whole file for one result without a place: what is known of the migration alone stands at its beginning.
  const artifactLocation = artifactOf(pathBelow(root, at?.file ?? at?.migration ?? 'migrations'));
  const region = { startLine: at?.line ?? 1 };
  return {
    ruleId: code,
    level: levels[level],
    message: { text: `${message}\n${remedy}` },
    locations: [{ physicalLocation: { artifactLocation, region } }],
  };
}

function notificationsOf({ trace }: LintReport) {
  const { failure } = trace ?? {};
  return failure ? [{ level: 'warning', message: { text: `The trace ended: ${failure.code}: ${failure.message}` } }] : [];
}

function artifactOf(path: string) {
  if (isAbsolute(path)) return { uri: pathToFileURL(path).href };
  return { uri: path.split('/').map(encodeURIComponent).join('/'), uriBaseId: '%SRCROOT%' };
}

// An absolute address it has to be.
function pageOf(page: string): string {
  const { name, version, repository } = readOwnPackage();
  const address = repository?.url?.replace(/^git\+/, '').replace(/\.git$/, '');
  return address === undefined ? `https://www.npmjs.com/package/${name}/v/${version}?page=${page}` : `${address}/blob/main/${page}`;
}
