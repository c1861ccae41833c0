export async function save(db, { name, street, city, email, total }) {
  const { rows } = await db.query('insert into customers (name, email) values ($1, $2) returning id', [name, email]);
  await move(db, rows[0].id, { street, city });
  await db.query('insert into orders (customer_id, total_cents) values ($1, $2)', [rows[0].id, Math.round(total * 100)]);
  return rows[0].id;
}

export async function move(db, id, { street, city }) {
  await db.query(
    `insert into addresses (customer_id, street, city) values ($1, $2, $3)
     on conflict (customer_id) do update set street = excluded.street, city = excluded.city`,
    [id, street, city],
  );
}

export async function read(db, id) {
  const { rows } = await db.query(
    `select c.name, a.street, a.city, (select sum(total_cents)::float8 / 100 from orders where customer_id = c.id) as total
     from customers c left join addresses a on a.customer_id = c.id where c.id = $1`,
    [id],
  );
  return rows[0];
}
