// Only for the demo: its process is killed after the table was created and before the transaction could commit.

export const config = { capture: false }; // the line that it prints must come once

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.createTable('visits', (table) => {
    table.uuid('id').primary().defaultTo(knex.fn.uuid());
    table.uuid('patient_id').notNullable().references('patients.id').onDelete('cascade');
    table.timestamp('begins_at').notNullable();
  });
  console.log('demo_visits: the table is there, inside the transaction; now the slow part');
  await knex.raw('select pg_sleep(3)');
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropTable('visits');
}
