const patterns = [
  { kind: 'blood pressure', pattern: /\bBP (\d{2,3}\/\d{2,3})\b/g },
  { kind: 'temperature', pattern: /\b(\d{2}(?:\.\d)?) ?°?C\b/g },
  { kind: 'allergy', pattern: /\ballergic to (\w+)/gi },
  { kind: 'medication', pattern: /\bprescribed (\w+)/gi },
];

const rules = {
  'has facts': ({ facts }) => (facts.length > 0 ? undefined : 'nothing was recognised'),
  'blood pressure plausible': ({ facts }) => {
    const wrong = facts.find(({ kind, value }) => kind === 'blood pressure' && !(Number.parseInt(value) > Number(value.split('/')[1])));
    return wrong && `${wrong.value}: the first number must be the larger one`;
  },
};

/**
 * Takes the oldest document that nobody has read, and writes its facts, the results of the rules, and its new status in one transaction.
 * SKIP LOCKED: workers beside each other never wait for, or read, the same document. Undefined when there is none.
 */
export async function extractNext(pool) {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const read = await readOldest(client);
    await client.query('commit');
    return read;
  } catch (error) {
    await client.query('rollback').catch(() => undefined); // the first error is the one to report
    throw error;
  } finally {
    client.release();
  }
}

async function readOldest(client) {
  const { rows } = await client.query(
    `select id, body from documents where status = 'received' order by created_at limit 1 for update skip locked`,
  );
  const [document] = rows;
  if (document === undefined) return undefined;
  const facts = findFacts(document.body);
  const results = Object.entries(rules).map(([rule, check]) => ({ rule, message: check({ facts }) }));
  const status = results.every(({ message }) => message === undefined) ? 'extracted' : 'rejected';
  await write(client, { id: document.id, facts, results, status });
  return { document: document.id, facts: facts.length, status };
}

function findFacts(body) {
  return patterns.flatMap(({ kind, pattern }) => [...body.matchAll(pattern)].map(([, value]) => ({ kind, value })));
}

async function write(client, { id, facts, results, status }) {
  for (const { kind, value } of facts) {
    await client.query('insert into extracted_facts (document_id, kind, value) values ($1, $2, $3)', [id, kind, value]);
  }
  for (const { rule, message } of results) {
    await client.query('insert into validation_results (document_id, rule, passed, message) values ($1, $2, $3, $4)', [
      id,
      rule,
      message === undefined,
      message,
    ]);
  }
  await client.query('update documents set status = $2 where id = $1', [id, status]);
}
