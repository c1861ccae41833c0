export async function save(db, { name, street, city, total }) {
  const { rows } = await db.query('insert into customers (fullname, street, city, fax) values ($1, $2, $3, null) returning id', [
    name,
    street,
    city,
  ]);
  await db.query('insert into orders (customer_id, total) values ($1, $2)', [rows[0].id, total]);
  return rows[0].id;
}

export async function move(db, id, { street, city }) {
  await db.query('update customers set street = $2, city = $3 where id = $1', [id, street, city]);
}

export async function read(db, id) {
  const { rows } = await db.query(
    `select c.fullname as name, c.street, c.city, (select sum(total)::float8 from orders where customer_id = c.id) as total
     from customers c where c.id = $1`,
    [id],
  );
  return rows[0];
}
