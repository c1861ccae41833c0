import { backfill } from 'ensure-migrated';

export const backfills = {
  customers_name: {
    table: 'customers',
    where: 'name is null',
    set: 'name = fullname',
    verify: 'select count(*) from customers where name is null',
  },
};

// Whichever of the two a release writes, the other one follows.
export async function up(knex) {
  await knex.raw(`
    alter table customers add column name text;
    create function customers_name_follows() returns trigger language plpgsql as $$
    begin
      if tg_op = 'INSERT' then
        new.name := coalesce(new.name, new.fullname);
        new.fullname := coalesce(new.fullname, new.name);
      elsif new.name is distinct from old.name then
        new.fullname := new.name;
      elsif new.fullname is distinct from old.fullname then
        new.name := new.fullname;
      end if;
      return new;
    end $$;
    create trigger customers_name_follows before insert or update on customers for each row execute function customers_name_follows()`);
  await backfill.enqueue(knex, 'customers_name');
}

export async function down(knex) {
  await knex.raw(`
    drop trigger customers_name_follows on customers;
    drop function customers_name_follows();
    alter table customers drop column name`);
}
