/** A new view: nothing older reads it. */
export const config = { breaking: false };

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.schema.createView('patient_overview', (view) => {
    view.columns(['id', 'name', 'risk_score', 'documents', 'waiting', 'last_document_at']);
    view.as(
      knex('patients')
        .leftJoin('documents', 'documents.patient_id', 'patients.id')
        .groupBy('patients.id')
        .select('patients.id', 'patients.name', 'patients.risk_score')
        .select(knex.raw('count(documents.id)'))
        .select(knex.raw("count(documents.id) filter (where documents.status = 'received')"))
        .select(knex.raw('max(documents.created_at)')),
    );
  });
}

/**
 * Runs before the commit, and rolls the view back when it throws: the overview must count every document once.
 * @param {import('knex').Knex} knex
 */
export async function verify(knex) {
  const { rows } = await knex.raw(
    'select (select coalesce(sum(documents), 0) from patient_overview) as shown, (select count(*) from documents) as stored',
  );
  if (rows[0].shown !== rows[0].stored) throw new Error(`the overview shows ${rows[0].shown} documents of ${rows[0].stored}`);
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.schema.dropView('patient_overview');
}
