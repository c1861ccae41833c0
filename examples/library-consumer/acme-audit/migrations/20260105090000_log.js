export async function up(knex) {
  await knex.schema.createTable('acme_audit_log', (table) => {
    table.bigIncrements('id');
    table.timestamp('at').notNullable().defaultTo(knex.fn.now());
    table.text('actor').notNullable();
    table.text('action').notNullable();
  });
}

export async function down(knex) {
  await knex.schema.dropTable('acme_audit_log');
}
