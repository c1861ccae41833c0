/** Nullable: code that has never heard of it goes on inserting patients. */
export const config = { breaking: false };

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.alterTable('patients', (table) => {
    table.text('email');
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.alterTable('patients', (table) => {
    table.dropColumn('email');
  });
}
