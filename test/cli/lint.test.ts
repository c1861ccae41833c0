import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { lintAnnotations } from '../../src/cli/lint-github.js';
import { renderSarif } from '../../src/cli/lint-sarif.js';
import { lintText } from '../../src/cli/lint-text.js';
import type { LintedMigration, LintReport } from '../../src/commands/index.js';
import { lintRuleTable } from '../../src/config/index.js';
import type { Finding } from '../../src/finding.js';
import { runCli, runCliHere } from '../support/cli.js';
import { makeDirectory } from '../support/directories.js';

const project = {
  'package.json': '{ "type": "module" }',
  'db/migrations/01_orders.sql': 'create table orders (id bigint primary key, customer text);\n',
  'db/migrations/02_index.sql':
    '-- safe: drop-column: nothing reads it since release 41\n\ncreate index orders_customer_idx on orders (customer);\nalter table orders drop column customer;\n',
};
const flags = ['--migrations', 'db/migrations'];

test('without a connection lint judges the text, tells harm, remedy and place, and ends with 78', async () => {
  const cwd = await makeDirectory(project);
  const { code, stdout, stderr } = await runCli(['lint', ...flags], { cwd });
  expect({ code, stderr }).toEqual({ code: 78, stderr: '' });
  expect(stdout).toMatch(/^Judged by the text alone, each as if it were released alone: /);
  expect(stdout).toContain(
    `
  error create-index-blocking: create index locks "orders" in SHARE mode: every write to it waits until the build ends
      Write \`CREATE INDEX CONCURRENTLY orders_customer_idx ON orders (customer)\`, and make \`-- transaction: false\` the first line of the file.
      at db/migrations/02_index.sql:3
`,
  );
  expect(stdout).toContain('\n\n02_index.sql\n  ');
  expect(stdout).toContain('\n  older releases cannot live with it: it drops column ');
  expect(stdout).toContain('\n  opted out of drop-column: nothing reads it since release 41\n');
  expect(stdout).toMatch(/\n\n2 migrations: \d+ errors?, \d+ warnings?, \d+ remarks?; 1 that older releases cannot live with\n$/);
});

test('in a checkout of a workflow, paths count from its root', async () => {
  const checkout = await makeDirectory(project);
  const env = { GITHUB_WORKSPACE: checkout };
  const { code, stdout } = await runCli(['lint', '--migrations', 'migrations', '--format', 'github'], {
    cwd: path.join(checkout, 'db'),
    env,
  });
  expect(code).toBe(78);
  expect(stdout).toMatch(
    /^::error file=db\/migrations\/02_index\.sql,line=3,title=create-index-blocking in 02_index\.sql::create index locks /m,
  );
});

describe('the flags', () => {
  test('narrow what is judged, and say how; 0 where nothing is an error', async () => {
    const directory = path.join(await makeDirectory(project), 'db/migrations');
    const given = ['lint', '--catalog', 'none', '--migrations', directory];
    const one = await runCliHere([...given, '01_orders.sql', '--json']);
    expect(one.code).toBe(0);
    expect(JSON.parse(one.stdout)).toMatchObject({ ok: true, released: 'apart', migrations: [{ name: '01_orders.sql' }] });
    const from = await runCliHere([...given, '--from', '02', '--small-table-rows', '0', '--format', 'json']);
    expect(from.code).toBe(78);
    expect(JSON.parse(from.stdout)).toMatchObject({ ok: false, sparedCount: 1, migrations: [{ name: '02_index.sql' }] });
    expect(await runCliHere([...given, '--released', 'together'])).toMatchObject({
      stdout: expect.stringMatching(/^Judged .* as one release: /) as string,
    });
    const sarif = await runCliHere([...given, '--format', 'sarif']);
    expect(sarif.code).toBe(78);
    expect(JSON.parse(sarif.stdout)).toMatchObject({ version: '2.1.0', runs: [{ results: expect.any(Array) as unknown[] }] });
  });

  test.each([
    ['--format', 'xml'],
    ['--catalog', 'maybe'],
    ['--released', 'never'],
    ['--small-table-rows', 'few'],
  ])('%s %s is refused', async (flag, word) => {
    const { code, stdout, stderr } = await runCliHere(['lint', '--catalog', 'none', flag, word]);
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toMatch(/^EM_CONFIG_INVALID: /);
  });
});

const finding: Finding = {
  code: 'create-index-blocking',
  level: 'error',
  message: 'blocks 100% of:\r\nwrites, all',
  remedy: 'Do it concurrently.',
  at: { migration: '02, a:b.sql', file: '/srv/db/migrations/02, a:b#1.sql', line: 3 },
};

function reportOf(findings: readonly Finding[], more: Partial<LintedMigration> = {}): LintReport {
  const known = {
    name: '02, a:b.sql',
    file: '/srv/db/migrations/02, a:b#1.sql',
    state: 'unknown',
    exactness: 'exact',
    reason: undefined,
  } as const;
  const migration: LintedMigration = {
    ...known,
    judgedBy: 'capture',
    findings,
    breaking: [],
    compatible: true,
    safe: [],
    trace: undefined,
    ...more,
  };
  const failure = { code: 'EM_MIGRATION_FAILED', message: 'migration 04.js failed' } as const;
  const rest = { database: undefined, released: 'apart', sparedCount: 0, trace: { madeBy: 'replay', failure } } as const;
  return { ok: false, migrations: [migration], totals: { error: 1, warn: 0, info: 0 }, ...rest };
}

test('annotations are escaped as the runner of a workflow reads them', () => {
  const elsewhere: Finding = { code: 'not-captured', level: 'info', message: 'it throws', remedy: 'Read it.', at: { migration: '03.js' } };
  expect(lintAnnotations(reportOf([finding, { ...finding, level: 'warn' }, elsewhere]), '/srv').split('\n')).toEqual([
    '::error file=db/migrations/02%2C a%3Ab#1.sql,line=3,title=create-index-blocking in 02%2C a%3Ab.sql::blocks 100%25 of:%0D%0Awrites, all%0ADo it concurrently.',
    '::warning file=db/migrations/02%2C a%3Ab#1.sql,line=3,title=create-index-blocking in 02%2C a%3Ab.sql::blocks 100%25 of:%0D%0Awrites, all%0ADo it concurrently.',
    '::notice title=not-captured in 03.js::it throws%0ARead it.',
    '::warning title=The trace ended%3A EM_MIGRATION_FAILED::migration 04.js failed',
    '1 migration: 1 error, 0 warnings, 0 remarks',
  ]);
});

interface Sarif {
  readonly $schema: string;
  readonly version: string;
  readonly runs: readonly {
    readonly tool: {
      readonly driver: {
        readonly name: string;
        readonly semanticVersion: string;
        readonly informationUri: string;
        readonly rules: readonly SarifRule[];
      };
    };
    readonly results: readonly SarifResult[];
    readonly invocations: readonly { readonly toolExecutionNotifications: readonly { readonly message: { readonly text: string } }[] }[];
  }[];
}

interface SarifRule {
  readonly id: string;
  readonly helpUri: string;
  readonly shortDescription: { readonly text: string };
  readonly fullDescription: { readonly text: string };
  readonly help: { readonly text: string };
  readonly defaultConfiguration: { readonly level: string };
}

interface SarifResult {
  readonly ruleId: string;
  readonly ruleIndex: number;
  readonly level: string;
  readonly message: { readonly text: string };
  readonly locations: readonly {
    readonly physicalLocation: {
      readonly artifactLocation: { readonly uri: string; readonly uriBaseId?: string };
      readonly region: { readonly startLine: number };
    };
  }[];
}

describe('SARIF has what the code scanning of GitHub asks for', () => {
  const nowhere: Finding = { code: 'not-captured', level: 'info', message: 'it throws', remedy: 'Read it.', at: { migration: '03.js' } };
  const outside: Finding = { ...finding, level: 'warn', at: { file: '/elsewhere/new.sql' } };
  const sarif = JSON.parse(JSON.stringify(renderSarif(reportOf([finding, nowhere, outside]), '/srv'))) as Sarif;
  const [{ tool, results, invocations } = { tool: undefined, results: [], invocations: [] }] = sarif.runs;

  test('a driver with a description and a page for each rule, once', () => {
    expect(sarif).toMatchObject({ version: '2.1.0', $schema: expect.stringContaining('sarif-2.1.0') as string });
    expect(invocations?.[0]?.toolExecutionNotifications?.[0]?.message.text).toBe(
      'The trace ended: EM_MIGRATION_FAILED: migration 04.js failed',
    );
    const { name, rules = [], semanticVersion = '', informationUri = '' } = tool?.driver ?? {};
    expect(name).toBe('ensure-migrated');
    expect(semanticVersion).toMatch(/^\d+\.\d+\.\d+/);
    expect(rules.map(({ id }) => id)).toEqual([...Object.keys(lintRuleTable), 'not-captured']);
    for (const rule of rules) {
      const { shortDescription, fullDescription, help, helpUri, defaultConfiguration } = rule;
      for (const { text } of [shortDescription, fullDescription, help]) expect(text).not.toBe('');
      expect(['error', 'warning', 'note', 'none']).toContain(defaultConfiguration.level);
      expect(URL.canParse(helpUri) && URL.canParse(informationUri)).toBe(true);
    }
    expect(rules.find(({ id }) => id === 'create-index-blocking')?.helpUri).toMatch(/docs\/lint\.md#create-index-blocking$/);
  });

  test('results that name their rule, each with one place: relative, with forward slashes, a line', () => {
    expect(results.map(({ ruleId, ruleIndex }) => tool?.driver.rules[ruleIndex]?.id === ruleId)).toEqual([true, true, true]);
    expect(
      results.map(({ level, message, locations }) => [level, message.text, locations.map(({ physicalLocation }) => physicalLocation)]),
    ).toEqual([
      [
        'error',
        'blocks 100% of:\r\nwrites, all\nDo it concurrently.',
        [{ artifactLocation: { uri: 'db/migrations/02%2C%20a%3Ab%231.sql', uriBaseId: '%SRCROOT%' }, region: { startLine: 3 } }],
      ],
      ['note', 'it throws\nRead it.', [{ artifactLocation: { uri: '03.js', uriBaseId: '%SRCROOT%' }, region: { startLine: 1 } }]],
      ['warning', expect.any(String), [{ artifactLocation: { uri: 'file:///elsewhere/new.sql' }, region: { startLine: 1 } }]],
    ]);
  });
});

describe('the text', () => {
  const screen = { columns: 80, style: (_format: unknown, text: string) => text };
  const linesOf = (more: Partial<LintedMigration>) =>
    lintText({ ...reportOf([], more), trace: undefined }, screen)
      .split('\n')
      .slice(2);

  test('says of a migration how it was judged, and whether older releases can live with it', () => {
    expect(linesOf({})).toEqual([]);
    expect(linesOf({ state: 'applied', safe: [{ rule: 'truncate', reason: 'r' }] })).toContain(
      '02, a:b.sql, applied already: judged by itself, against the database as it is now',
    );
    expect(linesOf({ state: 'outside', compatible: false })).toEqual(
      expect.arrayContaining([
        '02, a:b.sql, not among the migrations: judged by itself',
        '  counts as one that older releases cannot live with: its config says so',
      ]),
    );
    expect(linesOf({ compatible: false, exactness: 'opaque' })).toEqual(
      expect.arrayContaining([
        '  counts as one that older releases cannot live with: not all of it is known',
        '1 migration: 1 error, 0 warnings, 0 remarks; 1 that older releases cannot live with; 1 not judged to the end',
      ]),
    );
    expect(linesOf({ breaking: ['drops table orders'], safe: [{ rule: 'drop-table', reason: 'r' }] })).toContain(
      '  older releases can run on it, as its config says, although it drops table orders',
    );
  });
});
