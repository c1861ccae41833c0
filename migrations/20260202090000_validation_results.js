export const config = { breaking: false };

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.createTable('validation_results', (table) => {
    table.bigIncrements('id');
    table.uuid('document_id').notNullable().references('documents.id').onDelete('cascade');
    table.text('rule').notNullable();
    table.boolean('passed').notNullable();
    table.text('message');
    table.timestamp('checked_at').notNullable().defaultTo(knex.fn.now());
    table.unique(['document_id', 'rule']);
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropTable('validation_results');
}
