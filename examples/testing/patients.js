/** What the examples test: code with a transaction of its own. */
export async function addPatient(pool, name) {
  const client = await pool.connect();
  try {
    await client.query('begin');
    const { rows } = await client.query('insert into patients (name) values ($1) returning id', [name]);
    await client.query('commit');
    return rows[0].id;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

export async function listPatients(pool) {
  const { rows } = await pool.query('select name from patients order by name');
  return rows.map(({ name }) => name);
}
