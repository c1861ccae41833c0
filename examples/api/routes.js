const patientBody = {
  type: 'object',
  required: ['name'],
  additionalProperties: false,
  properties: {
    name: { type: 'string', minLength: 1 },
    bornOn: { type: 'string', format: 'date' },
    email: { type: 'string', format: 'email' },
  },
};

const documentBody = {
  type: 'object',
  required: ['title', 'body'],
  additionalProperties: false,
  properties: { title: { type: 'string', minLength: 1 }, body: { type: 'string' } },
};

const params = { type: 'object', properties: { id: { type: 'string', format: 'uuid' } } };

/** Everything but the health endpoints: answered with 503 until the database matches the code. */
export async function routes(app, { pool, probe }) {
  app.addHook('onRequest', async (request, reply) => {
    if (!probe.ready) return await reply.code(503).header('retry-after', '5').send({ error: 'starting', phase: probe.phase });
  });

  app.post('/patients', { schema: { body: patientBody } }, async ({ body }, reply) => {
    const { rows } = await pool.query('insert into patients (name, born_on, email) values ($1, $2, $3) returning id, name, email', [
      body.name,
      body.bornOn,
      body.email,
    ]);
    return await reply.code(201).send(rows[0]);
  });

  app.get('/patients/:id', { schema: { params } }, async (request, reply) => {
    const { rows } = await pool.query(
      'select id, name, risk_score, documents, waiting, last_document_at from patient_overview where id = $1',
      [request.params.id],
    );
    return rows[0] ?? (await reply.code(404).send({ error: 'no such patient' }));
  });

  app.post('/patients/:id/documents', { schema: { params, body: documentBody } }, async ({ params, body }, reply) => {
    const { rows } = await pool.query(
      `insert into documents (patient_id, title, body) select id, $2, $3 from patients where id = $1
       returning id, title, status, created_at`,
      [params.id, body.title, body.body],
    );
    if (rows.length === 0) return await reply.code(404).send({ error: 'no such patient' });
    return await reply.code(201).send(rows[0]);
  });

  app.get('/documents/:id/facts', { schema: { params } }, async (request, reply) => {
    const { rows } = await pool.query(
      `select status,
         (select coalesce(json_agg(json_build_object('kind', kind, 'value', value) order by id), '[]')
            from extracted_facts where document_id = documents.id) as facts,
         (select coalesce(json_agg(json_build_object('rule', rule, 'passed', passed, 'message', message) order by id), '[]')
            from validation_results where document_id = documents.id) as results
       from documents where id = $1`,
      [request.params.id],
    );
    return rows[0] ?? (await reply.code(404).send({ error: 'no such document' }));
  });
}
