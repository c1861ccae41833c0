import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { verbs } from '../src/cli/commands.js';
import { readConnection } from '../src/config/connection.js';
import { readTypes, renderSchemas, type SchemaFile } from '../tools/schemas/index.js';
import { configFaults } from './support/json-schemas.js';
import { root } from './support/majors.js';
import { readPages } from './support/markdown.js';

const directory = path.join(root, 'schemas');
const textIn = (name: string) => readFileSync(path.join(directory, name), 'utf8');
const written = readdirSync(directory).sort();

test('schemas/ is what the types and the tables say (UPDATE_DOCS=1 writes it anew)', () => {
  const textOf = (schema: SchemaFile) => `${JSON.stringify(schema, undefined, 2)}\n`;
  const now = Object.fromEntries(Object.entries(renderSchemas(readTypes())).map(([name, schema]) => [`${name}.json`, textOf(schema)]));
  if (process.env['UPDATE_DOCS']) for (const [name, text] of Object.entries(now)) writeFileSync(path.join(directory, name), text);
  expect(written).toEqual(Object.keys(now).sort());
  for (const name of written) expect(textIn(name), name).toBe(now[name]);
});

describe('the schemas of --json', () => {
  const outputs = written.filter((name) => name !== 'config.json');

  test('are there for each verb, and for an error', () => {
    expect(outputs).toEqual([...verbs.map(({ name }) => `${name}.json`), 'error.json'].sort());
  });

  test('let a reader live with a field of a later release', () => {
    for (const name of outputs) expect(textIn(name), name).not.toMatch(/"(additional|unevaluated)Properties": false/);
  });

  test('leave nothing open: each field has a type, a reference or its values', () => {
    for (const name of written) expect(textIn(name), name).not.toMatch(/(?<!"databases"): \{\}/); // of a condition
  });

  test('are each held against what its verb has printed, somewhere in the tests', () => {
    const names = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'));
    const tests = names
      .map((name) => readFileSync(path.join(root, 'test', name), 'utf8'))
      .filter((text) => /expectPrinted|runCli/.test(text));
    const isHeld = (verb: string) =>
      tests.some((text) =>
        new RegExp(`expectPrinted\\('${verb}'|'${verb}',.*'--json'|runCli(?:Here)?\\(\\['${verb}', [^]*'--json'`).test(text),
      );
    expect(verbs.map(({ name }) => name).filter((name) => !isHeld(name))).toEqual([]);
  });
});

describe('the schema of the configuration file', () => {
  const examples = readPages().flatMap(({ snippets }) => snippets.filter(({ label }) => label === 'ensure-migrated.config.json'));

  test('passes the examples of the documentation', () => {
    expect(examples.length).toBeGreaterThan(0);
    for (const { page, line, text } of examples) expect(configFaults(JSON.parse(text)), `${page}:${line}`).toEqual([]);
  });

  test.each([
    { connection: 'postgres://app@db/clinic', migrations: ['./a', './b'], tenants: { schemas: ['a', 'b'], onFailure: { max: 2 } } },
    { connection: { host: 'db', ssl: { rejectUnauthorized: true } }, lint: false, throttle: { duty: 0.5, replicaLagMs: 1 }, logger: false },
    { mode: 'wait', schema: { files: ['m.sql'], exclude: ['audit'] }, backup: { directory: 'b', keepCount: 1 }, searchPath: ['app'] },
    { rules: { 'history-unfinished': { level: 'error' }, blockers: { level: 'warn', except: ['a'] }, identity: 'off' } },
    {
      replicas: ['postgres://app@r/clinic', { connection: { host: 'r' }, policy: 'warn', timeoutMs: 1 }],
      migrations: { schemaName: null },
    },
    { streams: [{ name: 'jobs', migrations: 'node_modules/jobs/migrations', after: ['core@1'] }], canary: 0, databases: [{ name: 'eu' }] },
  ])('passes %j', (options) => {
    expect(configFaults(options)).toEqual([]);
  });

  test.each([
    ...['postgres://db/shop', 'PostgreSQL://db/shop', 'PG://db/shop', 'Socket:/run/postgresql?db=shop', '/run/postgresql shop'],
    ...['mysql://db/shop', 'postgres:/db/shop', 'host=db dbname=shop', ''],
  ])('takes the connection %j where the code takes it', (connection) => {
    const problems: string[] = [];
    readConnection(connection, { path: 'connection', problems });
    expect(configFaults({ connection })?.length === 0).toBe(problems.length === 0);
  });
});
