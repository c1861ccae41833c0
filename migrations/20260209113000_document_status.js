/** The default speaks for code that inserts a document without a status. */
export const config = { breaking: false };

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  // A constant default is kept in the catalog: no row is rewritten.
  await knex.schema.alterTable('documents', (table) => {
    table
      .enu('status', ['received', 'extracted', 'rejected'], { useNative: true, enumName: 'document_status' })
      .notNullable()
      .defaultTo('received');
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.alterTable('documents', (table) => {
    table.dropColumn('status');
  });
  await knex.raw('drop type document_status');
}
