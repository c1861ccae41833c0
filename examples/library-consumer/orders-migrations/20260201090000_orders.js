/** The package's table is there before this runs. */
export async function up(knex) {
  await knex.schema.createTable('orders', (table) => {
    table.increments('id');
    table.text('item').notNullable();
    table.bigInteger('audit_id').references('acme_audit_log.id');
  });
}

export async function down(knex) {
  await knex.schema.dropTable('orders');
}
