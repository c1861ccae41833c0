export async function up(knex) {
  await knex.schema.createTable('invoices', (table) => {
    table.increments('id');
    table.integer('amount_cents').notNullable();
  });
}

export async function down(knex) {
  await knex.schema.dropTable('invoices');
}
