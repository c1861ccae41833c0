export async function up(knex) {
  await knex.schema.createTable('customers', (table) => {
    table.bigIncrements();
    table.text('fullname').notNullable();
    table.text('street');
    table.text('city');
    table.text('fax');
  });
  await knex.schema.createTable('orders', (table) => {
    table.bigIncrements();
    table.bigInteger('customer_id').notNullable().references('customers.id').index();
    table.decimal('total', 10, 2).notNullable();
  });
}

export async function down(knex) {
  await knex.schema.dropTable('orders');
  await knex.schema.dropTable('customers');
}
