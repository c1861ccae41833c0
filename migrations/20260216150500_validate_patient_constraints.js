export const config = { breaking: false };

/**
 * A migration of its own, since a transaction keeps the lock that added the constraints; this one lets reads and writes pass while it scans.
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.raw('alter table patients validate constraint patients_risk_score_check');
  await knex.raw('alter table patients validate constraint patients_email_check');
}

/**
 * There is no statement that takes a validation back: the constraints are made again as they were.
 * @param {import('knex').Knex} knex
 */
export async function down(knex) {
  await knex.raw('alter table patients drop constraint patients_email_check');
  await knex.raw('alter table patients drop constraint patients_risk_score_check');
  await knex.raw('alter table patients add constraint patients_risk_score_check check (risk_score between 0 and 1) not valid');
  await knex.raw("alter table patients add constraint patients_email_check check (position('@' in email) > 1) not valid");
}
