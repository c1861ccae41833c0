import { setNotNull } from 'ensure-migrated';

export const config = {
  transaction: false,
  requires: { backfills: ['customers_name', 'orders_total_cents', 'customers_addresses', 'customers_email'] },
  breaking: false, // the triggers and release 2 give each new row all of these
};

export async function up(knex) {
  await setNotNull(knex, { table: 'customers', column: 'name' });
  await setNotNull(knex, { table: 'orders', column: 'total_cents' });
  await setNotNull(knex, { table: 'customers', column: 'email' });
}

export async function down(knex) {
  await knex.schema.alterTable('customers', (table) => table.setNullable('name'));
  await knex.schema.alterTable('orders', (table) => table.setNullable('total_cents'));
  await knex.schema.alterTable('customers', (table) => table.setNullable('email'));
}
