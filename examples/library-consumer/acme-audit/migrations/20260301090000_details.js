/** An older release of the package goes on without it, in a service that has not been updated yet. */
export const config = { breaking: false };

export async function up(knex) {
  await knex.schema.alterTable('acme_audit_log', (table) => table.jsonb('details').notNullable().defaultTo('{}'));
}

export async function down(knex) {
  await knex.schema.alterTable('acme_audit_log', (table) => table.dropColumn('details'));
}
