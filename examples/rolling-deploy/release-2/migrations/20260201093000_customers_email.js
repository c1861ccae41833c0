import { backfill } from 'ensure-migrated';

export const backfills = {
  customers_email: {
    table: 'customers',
    where: 'email is null',
    set: `email = 'unknown-' || id || '@shop.example'`,
    verify: 'select count(*) from customers where email is null',
  },
};

export async function up(knex) {
  await knex.schema.alterTable('customers', (table) => table.text('email'));
  await backfill.enqueue(knex, 'customers_email');
}

export async function down(knex) {
  await knex.schema.alterTable('customers', (table) => table.dropColumn('email'));
}
