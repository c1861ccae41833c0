/** Nullable, and null means "not assessed yet": older code does not see it. */
export const config = { breaking: false };

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.alterTable('patients', (table) => {
    table.decimal('risk_score', 4, 3);
  });
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.alterTable('patients', (table) => {
    table.dropColumn('risk_score');
  });
}
