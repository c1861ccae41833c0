export async function save(db, { name, street, city, email, total }) {
  const { rows } = await db.query('insert into customers (fullname, street, city, email) values ($1, $2, $3, $4) returning id', [
    name,
    street,
    city,
    email,
  ]);
  await db.query('insert into orders (customer_id, total) values ($1, $2)', [rows[0].id, total]);
  return rows[0].id;
}

export { move, read } from '../release-1/code.js';
