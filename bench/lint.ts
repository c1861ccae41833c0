// Measures the lint beside the parser that it begins with, in one run, each in turn: 1000 statements in one migration, and in one each.
import pg from 'pg';
import { resolveConfig, type LintSettings } from '../src/config/index.js';
import { lintSteps, type LintRequest, type LintStep } from '../src/lint/index.js';
import { tryParseSql } from '../src/source/index.js';
import { openPlace } from './place.js';
import { median } from './runner.js';

const quick = process.argv.includes('--quick');
const rounds = quick ? 3 : 9;
const sizes = quick ? [100, 1000] : [100, 1000, 2000];
const tables = 50;
const { rules, lint } = resolveConfig({ connection: 'postgres://unused/unused', lint: { smallTableRows: 10 } });

await using place = await openPlace();
const client = new pg.Client(await place.createDatabase());
await client.connect();
for (let table = 0; table < tables; table++) await client.query(tableText(table));
await client.query('analyze');
const query: LintRequest['query'] = async <Row>(text: string, values?: readonly unknown[]) =>
  (await client.query(text, [...(values ?? [])])).rows as Row[];

const ways: Readonly<Record<string, (statements: readonly string[]) => Promise<unknown>>> = {
  'the parser alone': async (statements) => await Promise.all(statements.map(tryParseSql)),
  'one migration': async (statements) => await run([stepOf(0, statements)], 'together', query),
  'one each, together': async (statements) => await run(each(statements), 'together', query),
  'one each, apart': async (statements) => await run(each(statements), 'apart', query),
  'one each, apart, no database': async (statements) => await run(each(statements), 'apart', undefined),
};

await measured(50); // loads the parser, and what writes remedies
const columns = await Promise.all([]).then(async () => {
  const found = [];
  for (const size of sizes) found.push(await measured(size));
  return found;
});
console.log(['| statements |', ...sizes.map((size) => ` ${size}, ms |`)].join(''));
console.log(`|${'---|'.repeat(sizes.length + 1)}`);
for (const way of Object.keys(ways)) console.log(`| ${way} |${columns.map((found) => ` ${found[way]?.toFixed(0)} |`).join('')}`);
await client.end();

/** The median of each way, with its name. */
async function measured(size: number): Promise<Record<string, number>> {
  const statements = Array.from({ length: size }, (_, index) => statementText(index));
  const samples: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++) {
    for (const [way, go] of Object.entries(ways)) {
      const began = performance.now();
      await go(statements);
      (samples[way] ??= []).push(performance.now() - began);
    }
  }
  return Object.fromEntries(Object.entries(samples).map(([way, values]) => [way, median(values)]));
}

async function run(steps: readonly LintStep[], released: LintRequest['released'], asked: LintRequest['query']): Promise<unknown> {
  return await lintSteps({ config: { rules, lint: lint as LintSettings }, query: asked, steps, released, transaction: 'each' });
}

function each(statements: readonly string[]): LintStep[] {
  return statements.map((sql, index) => stepOf(index, [sql]));
}

function stepOf(index: number, statements: readonly string[]): LintStep {
  const name = `${String(index).padStart(6, '0')}_step.js`;
  const unread = statements.map((sql, message) => ({ sql, text: sql, place: `/m/${name}:${message + 1}`, message }));
  return { name, file: `/m/${name}`, transaction: true, safe: undefined, statements: unread };
}

function tableText(table: number): string {
  const parent = table === 0 ? '' : `, parent bigint references t_${table - 1} (id)`;
  return `create table t_${table} (id bigint primary key, name text not null, amount numeric(8, 2) check (amount > 0), at timestamptz${parent});
    create index on t_${table} (name); create index on t_${table} (at, amount);
    insert into t_${table} (id, name) select g, 'name' from generate_series(1, 20) g`;
}

/** Ten that a history is made of, on one table after the other. */
function statementText(index: number): string {
  const [table, made] = [`t_${Math.floor(index / 10) % tables}`, `made_${Math.floor(index / 10)}`];
  const texts = [
    `create table ${made} (id bigint generated always as identity primary key, name text not null default 'x', t_id bigint references ${table} (id))`,
    `create index on ${made} (t_id)`,
    `alter table ${table} add column c_${index} text default now()::text`,
    `create index on ${table} (c_${index - 1})`,
    `alter table ${table} add constraint k_${index} check (amount < ${index}) not valid`,
    `alter table ${table} validate constraint k_${index - 1}`,
    `alter table ${table} alter column at set not null, alter column name drop not null`,
    `update ${table} set name = 'other' where id = ${index}`,
    `insert into ${made} (name) values ('one'), ('two')`,
    `alter table ${table} alter column amount type numeric(10, 2)`,
  ];
  return texts[index % texts.length] ?? '';
}
