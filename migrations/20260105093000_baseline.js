// The first release: who is treated, what was written down about them, and what was read out of it.

/** Nothing older exists. */
export const config = { breaking: false };

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.createTable('patients', (table) => {
    table.uuid('id').primary().defaultTo(knex.fn.uuid());
    table.text('name').notNullable();
    table.date('born_on');
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
  });
  await knex.schema.createTable('documents', (table) => {
    table.uuid('id').primary().defaultTo(knex.fn.uuid());
    table.uuid('patient_id').notNullable().index().references('patients.id').onDelete('cascade');
    table.text('title').notNullable();
    table.text('body').notNullable();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
  });
  await knex.schema.createTable('extracted_facts', (table) => {
    table.bigIncrements('id');
    table.uuid('document_id').notNullable().index().references('documents.id').onDelete('cascade');
    table.text('kind').notNullable();
    table.text('value').notNullable();
    table.timestamp('created_at').notNullable().defaultTo(knex.fn.now());
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropTable('extracted_facts');
  await knex.schema.dropTable('documents');
  await knex.schema.dropTable('patients');
}
