import { backfill } from 'ensure-migrated';

export const backfills = {
  customers_addresses: {
    table: 'customers',
    where: 'street is not null and not exists (select from addresses a where a.customer_id = t.id)',
    // The rows of the batch are locked: a release that moves one of these customers waits, and the trigger then has the last word.
    apply: async (rows, trx) => {
      const addresses = rows.map(({ id, street, city }) => ({ customer_id: id, street, city }));
      await trx('addresses').insert(addresses).onConflict('customer_id').ignore();
    },
    verify: `select count(*) from customers c where street is not null and not exists (select from addresses a where a.customer_id = c.id)`,
  },
};

// Each of the two tables follows the other; what a trigger has written is not sent back (pg_trigger_depth).
export async function up(knex) {
  await knex.raw(`
    create table addresses (customer_id bigint primary key references customers on delete cascade, street text not null, city text);
    create function customers_to_addresses() returns trigger language plpgsql as $$
    begin
      insert into addresses values (new.id, new.street, new.city)
        on conflict (customer_id) do update set street = excluded.street, city = excluded.city;
      return null;
    end $$;
    create function addresses_to_customers() returns trigger language plpgsql as $$
    begin
      update customers set street = new.street, city = new.city where id = new.customer_id;
      return null;
    end $$;
    create trigger customers_to_addresses after insert or update of street, city on customers for each row
      when (pg_trigger_depth() = 0 and new.street is not null) execute function customers_to_addresses();
    create trigger addresses_to_customers after insert or update on addresses for each row
      when (pg_trigger_depth() = 0) execute function addresses_to_customers()`);
  await backfill.enqueue(knex, 'customers_addresses');
}

export async function down(knex) {
  await knex.raw(`
    drop trigger customers_to_addresses on customers;
    drop function customers_to_addresses();
    drop table addresses;
    drop function addresses_to_customers()`);
}
