import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { lintRuleTable, type LintRule } from '../../src/config/index.js';
import type { Finding } from '../../src/finding.js';
import { lintRules } from '../../src/lint/rules/index.js';
import { major, root } from '../support/majors.js';
import { createExampleDatabase, findingsIn, lintExample, migrationsIn, traceExamples, type ExampleMigration } from './fixture.js';

const page = readFileSync(path.join(root, 'docs/lint.md'), 'utf8');

/** A section of docs/lint.md: what the rule says of the bad example, and what both were seen to do. */
interface Section {
  readonly rule: LintRule;
  readonly level: string;
  /** What there is besides the tables of all examples. */
  readonly given: string;
  readonly bad: readonly ExampleMigration[];
  readonly good: readonly ExampleMigration[];
  readonly badTakes: string;
  readonly goodTakes: string;
  /** The major version that has the syntax. */
  readonly since: number;
  readonly message: string;
  readonly remedy: string;
}

const sections = page
  .split(/^#### /m)
  .slice(1)
  .map((text) => text.split(/^### /m)[0] ?? '')
  .map(readSection);

function readSection(text: string): Section {
  const block = (label: string) => new RegExp(`^${label}:\\n\\n\`\`\`sql\\n([^]*?)\`\`\``, 'm').exec(text)?.[1] ?? '';
  const takes = (label: string) => {
    const found = new RegExp(`^${label}:\\n\\n\`\`\`sql\\n[^]*?\`\`\`\\n(?:\\nTakes: ([^]*?)\\.$)?`, 'm').exec(text);
    return found?.[1]?.replace(/\n/g, ' ') ?? ''; // without the line nothing is taken
  };
  const quoted = [...text.matchAll(/^>(?: (.*))?$/gm)].map(([, line = '']) => line).join('\n');
  const [message = '', remedy = ''] = quoted.split('\n\n');
  const [rule = ''] = text.split('\n');
  const [, level = ''] = /^`(\w+)` · /m.exec(text) ?? [];
  const [, since] = /^PostgreSQL (\d+) and later/m.exec(text) ?? [];
  return {
    rule: rule as LintRule,
    level,
    given: block('Given'),
    bad: migrationsIn(block('Bad')),
    good: migrationsIn(block('Good')),
    badTakes: takes('Bad'),
    goodTakes: takes('Good'),
    since: Number(since ?? 0),
    message,
    remedy,
  };
}

// How large a table is on the page nobody has measured.
const sizeless = (text: string) => text.replace(/\([\d.]+ \w+, about [\d,]+ rows\)/g, '(its size)');
const of = (rule: LintRule, findings: readonly Finding[]) => findings.filter(({ code }) => code === rule);

describe('docs/lint.md', () => {
  test('has a section for each rule, and says its level', () => {
    expect(sections.map(({ rule, level }) => `${rule} ${level}`).sort()).toEqual(
      lintRules.map(({ id }) => `${id} ${lintRuleTable[id].level}`).sort(),
    );
  });
  test('each rule of the options is looked for', () => {
    expect(lintRules.map(({ id }) => id as string).sort()).toEqual(Object.keys(lintRuleTable).sort());
  });
});

describe.each(sections.filter(({ since }) => since <= major))(
  '$rule',
  ({ rule, given, bad, good, badTakes, goodTakes, message, remedy }) => {
    const options = { rules: { [rule]: lintRuleTable[rule].level === 'off' ? 'warn' : lintRuleTable[rule].level } };

    test('says of the bad example what the page says, and nothing where it is opted out', async () => {
      const database = await createExampleDatabase();
      const client = await database.connect();
      if (given) await client.query(given);
      const [first, ...more] = of(rule, findingsIn(await lintExample({ client, migrations: bad, options })));
      expect(more).toEqual([]);
      expect(first && sizeless(`${first.message}\n\n${first.remedy}`)).toBe(sizeless(`${message}\n\n${remedy}`));
      expect(of(rule, findingsIn(await lintExample({ client, migrations: bad, options, safe: { [rule]: 'a reason' } })))).toEqual([]);
      expect(await traceExamples(database, bad)).toBe(badTakes);
    });

    test('has nothing against the good example, and no other rule has an error', async () => {
      const database = await createExampleDatabase();
      const client = await database.connect();
      if (given) await client.query(given);
      const findings = findingsIn(await lintExample({ client, migrations: good, options }));
      expect(findings.filter(({ code, level }) => code === rule || level === 'error')).toEqual([]);
      expect(await traceExamples(database, good)).toBe(goodTakes);
    });
  },
);
