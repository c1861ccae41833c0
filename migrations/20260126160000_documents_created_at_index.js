// `documents` is the large table: a plain CREATE INDEX would stop every new note until the build ends.

/** CREATE INDEX CONCURRENTLY cannot run inside a transaction. */
export const config = { transaction: false, breaking: false };

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.raw('create index concurrently documents_created_at_index on documents (created_at)');
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.raw('drop index concurrently documents_created_at_index');
}
