import { readdir, readFile, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { autogenerate, check, createAll, downgrade, status, upgrade } from '../../src/commands/index.js';
import type { Options } from '../../src/index.js';
import { makeDirectory } from '../support/directories.js';
import { createDatabase, type TestDatabase } from '../support/servers.js';

const patients = (more = '') =>
  `await knex.schema.createTable('patients', (t) => { t.bigIncrements(); t.text('name').notNullable();${more} });`;
const indexed = patients(` t.text('email'); t.float('risk_score'); t.index('email', 'patients_email');`);
const results = `await knex.schema.createTable('validation_results', (t) => {
  t.increments();
  t.bigInteger('patient_id').notNullable().references('id').inTable('patients').onDelete('CASCADE');
  t.boolean('passed').notNullable().defaultTo(false);
  t.timestamp('at').notNullable().defaultTo(knex.fn.now());
});`;

/** The story of an Alembic user's guide: each change of the model becomes a migration. */
const story: readonly [message: string, model: string, file: string][] = [
  ['Add patient email', patients(` t.text('email');`), 'add_patient_email.js'],
  ['Add patient risk score', patients(` t.text('email'); t.float('risk_score');`), 'add_patient_risk_score.js'],
  ['Index patients by email', indexed, 'index_patients_by_email_build_patients_email.js'],
  ['Add validation results', indexed + results, 'add_validation_results.js'],
];

describe("the story of an Alembic user's guide", () => {
  let database: TestDatabase;
  let directory: string;
  let options: Options & { readonly schema: string };
  const declare = async (model: string) => await writeFile(options.schema, `export default async (knex) => { ${model} };`);
  const files = async () => (await readdir(`${directory}/migrations`)).sort();
  const textOf = async (part: string) =>
    await readFile(`${directory}/migrations/${(await files()).find((name) => name.includes(part))}`, 'utf8');

  beforeAll(async () => {
    database = await createDatabase();
    directory = await makeDirectory({ 'package.json': '{ "type": "module" }' });
    // A module is imported once in a process: each step has a file of its own.
    options = { connection: database.url, migrations: `${directory}/migrations`, logger: false, schema: `${directory}/schema.js` };
  });

  test('tables that create-all has made become the baseline, which is stamped', async () => {
    await declare(patients());
    expect(await createAll(options)).toMatchObject({ created: true });
    await database.query(`insert into patients (name) values ('Ada')`);
    const { migrations } = await autogenerate(options, { message: 'Baseline of the clinic' });
    expect(migrations).toMatchObject([{ name: expect.stringMatching(/^\d{14}_baseline_of_the_clinic\.js$/) as string }]);
    expect(await createAll(options, { stamp: 'head' })).toMatchObject({ created: false, recorded: { length: 1 } });
    expect(await check(options)).toMatchObject({ ok: true, database: database.name });
    expect(await textOf('baseline')).toContain("knex.schema.createTable('patients', (table) => {\n    table.bigIncrements('id');\n");
  });

  test.each(story)('%s', async (message, model, file) => {
    options = { ...options, schema: `${directory}/${file}` };
    await declare(model);
    const { migrations } = await autogenerate(options, { message });
    expect(migrations.map(({ name }) => name.replace(/^\d+_/, ''))).toEqual([file]);
    await upgrade(options);
  });

  test('each is taken back and made again, with the rows that are there', async () => {
    const columns = `select count(*)::int from information_schema.columns where table_name in ('patients', 'validation_results')`;
    await downgrade(options, { target: { steps: story.length }, yes: true });
    expect(await database.query(columns)).toEqual([{ count: 2 }]);
    await upgrade(options);
    expect(await check(options)).toMatchObject({ ok: true, database: database.name });
    expect(await database.query('select name from patients')).toEqual([{ name: 'Ada' }]);
  });

  test('the files read as if a person had written them, and nothing more is generated', async () => {
    expect(await autogenerate(options, { message: 'More' })).toEqual({ migrations: [], findings: [] });
    expect(await files()).toHaveLength(5);
    expect(await status(options)).toMatchObject({ inSync: true });
    expect(await textOf('risk')).toBe(riskText);
    expect(await textOf('build_patients_email')).toContain(
      `export const config = { transaction: false };\n\n/** @param {Knex} knex */\nexport async function up(knex) {
  await knex.raw('CREATE INDEX CONCURRENTLY patients_email ON public.patients USING btree (email)');\n}`,
    );
    expect(await textOf('validation')).toContain(`  await knex.schema.createTable('validation_results', (table) => {
    table.increments('id');
    table.bigInteger('patient_id').notNullable();
    table.boolean('passed').notNullable().defaultTo(false);
    table.timestamp('at').notNullable().defaultTo(knex.fn.now());
  });
  await knex.schema.alterTable('validation_results', (table) => {
    table.foreign('patient_id', 'validation_results_patient_id_foreign').references('id').inTable('patients').onDelete('CASCADE');
  });
}`);
  });
});

const riskText = `// Add patient risk score

/** @typedef {import('knex').Knex} Knex */

/** @param {Knex} knex */
export async function up(knex) {
  await knex.schema.alterTable('patients', (table) => {
    table.float('risk_score');
  });
}

/** @param {Knex} knex */
export async function down(knex) {
  await knex.schema.alterTable('patients', (table) => {
    table.dropColumn('risk_score');
  });
}
`;
