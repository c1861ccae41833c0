import { backfill } from 'ensure-migrated';

export const backfills = {
  orders_total_cents: {
    table: 'orders',
    where: 'total_cents is null',
    set: 'total_cents = round(total * 100)',
    verify: 'select count(*) from orders where total_cents is null',
  },
};

export async function up(knex) {
  await knex.raw(`
    alter table orders add column total_cents bigint;
    create function orders_total_follows() returns trigger language plpgsql as $$
    begin
      if tg_op = 'INSERT' then
        new.total_cents := coalesce(new.total_cents, round(new.total * 100));
        new.total := coalesce(new.total, new.total_cents / 100.0);
      elsif new.total_cents is distinct from old.total_cents then
        new.total := new.total_cents / 100.0;
      elsif new.total is distinct from old.total then
        new.total_cents := round(new.total * 100);
      end if;
      return new;
    end $$;
    create trigger orders_total_follows before insert or update on orders for each row execute function orders_total_follows()`);
  await backfill.enqueue(knex, 'orders_total_cents');
}

export async function down(knex) {
  await knex.raw(`
    drop trigger orders_total_follows on orders;
    drop function orders_total_follows();
    alter table orders drop column total_cents`);
}
