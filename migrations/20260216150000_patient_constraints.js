// Older code may write a score of 7 or an address without an @, and would now be refused.
export const config = { breaking: true };

/**
 * NOT VALID holds for new rows at once and looks at no old one, so the table is locked for an instant only.
 * The next migration checks the rows that are there.
 * @param {import('knex').Knex} knex
 */
export async function up(knex) {
  await knex.raw('alter table patients add constraint patients_risk_score_check check (risk_score between 0 and 1) not valid');
  await knex.raw("alter table patients add constraint patients_email_check check (position('@' in email) > 1) not valid");
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.raw('alter table patients drop constraint patients_email_check');
  await knex.raw('alter table patients drop constraint patients_risk_score_check');
}
