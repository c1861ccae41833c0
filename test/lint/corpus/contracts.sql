-- # drop-table: dangerous, destroys
drop table "generated";

-- # drop-table-if-exists: dangerous, destroys
drop table if exists settings;

-- # drop-table-in-do: dangerous, destroys
do $$ begin drop table caches; end $$;

-- # drop-table-in-do-in-do: dangerous, destroys
do $$ begin execute 'do $x$ begin drop table caches; end $x$'; end $$;
-- # drop-tables-one-of-them-new: dangerous, destroys
create table fresh (id int);
drop table fresh, visits;

-- # drop-table-cascade: dangerous, destroys
drop table customers cascade;

-- # drop-column-by-knex: dangerous, destroys
alter table "orders" drop column "data";

-- # drop-columns-beside-new: dangerous, destroys
alter table customers add column full_name text, drop column country;

-- # drop-column-cascade: dangerous, destroys
alter table addresses drop column street cascade;

-- # drop-schema: dangerous, destroys
drop schema archive cascade;

-- # drop-view: dangerous, breaks
drop view streets;

-- # drop-matview: dangerous, breaks
drop materialized view latest_sessions;

-- # rename-table-by-knex: dangerous, breaks
alter table "customers" rename to "clients";

-- # rename-column-by-knex: dangerous, breaks
alter table "orders" rename "note" to "remark";

-- # rename-column-in-do: dangerous, breaks
do $$ begin
  if exists (select from information_schema.columns where table_name = 'orders' and column_name = 'note') then
    alter table orders rename column note to remark;
  end if;
  end $$;

-- # rename-view: dangerous, breaks
alter view streets rename to street_names;

-- # rename-schema: dangerous, breaks
alter schema archive rename to attic;

-- # rename-enum-value: dangerous, breaks
alter type payment_method rename value 'card' to 'credit card';

-- # move-table: dangerous, breaks
alter table visits set schema archive;

-- # swap-without-view: dangerous, breaks
create table settings_new (name text primary key, value jsonb);
alter table settings rename to settings_old;
alter table settings_new rename to settings;

-- # rls-without-policy: dangerous, hides every row
alter table payments enable row level security;

-- # enum-value-used: dangerous, fails
alter type payment_method add value 'cash';
update payments set method = 'cash' where id = 1;

-- # enum-value-as-default: dangerous, fails
alter type payment_method add value 'cash';
alter table payments alter column method set default 'cash';

-- # commit-inside: dangerous, atomicity is lost
alter table orders add column color text;
commit;
update orders set color = 'red' where id = 1;

-- # begin-and-commit-inside: dangerous, atomicity is lost
begin;
alter table orders add column shade text;
commit;

-- # call: dangerous, opaque
call clean_up();

-- # own-function: dangerous, opaque
select ticket();

-- # execute-built: dangerous, opaque
do $$ declare each record; begin
  for each in select tablename from pg_tables where schemaname = 'archive' loop
    execute format('alter table archive.%I add column source text', each.tablename);
  end loop;
  end $$;

-- # knex-placeholder: dangerous, stores another text
alter table "orders" add column "hint" varchar(255) default 'why$1';

-- # rename-with-view: safe, the old name stays
alter table customers rename to clients;
create view customers as select * from clients;

-- # move-with-view: safe, the old name stays
alter table visits set schema archive;
create view visits as select * from archive.visits;

-- # view-made-anew: safe, the old name stays
drop view streets;
create view streets as select id, street, postcode::text as code from addresses where street <> '';

-- # view-replaced: safe, the old columns stay
create or replace view streets as select id, street, postcode from addresses where street <> '';

-- # drop-new-table: safe, new table
create table import (id bigint, name text);
insert into countries select 'xx', 'Nowhere';
drop table import;

-- # drop-temporary: safe, new table
create temp table picked as select id from orders where id < 10;
drop table picked;

-- # drop-missing: safe, nothing is there
drop table if exists never_there;
drop view if exists never_seen;

-- # rename-new-table: safe, new table
create table labels (id bigint primary key, name text);
alter table labels rename to stickers;
alter table stickers rename column name to title;
alter table stickers drop column title;

-- # rls-with-policy: safe, the policy is there
create policy payments_of_customer on payments using (customer_id = current_setting('app.customer', true)::bigint);
alter table payments enable row level security;

-- # new-table-with-everything: safe, new table
create type coupon_kind as enum ('percent', 'fixed');
create table coupons (
  id bigint generated always as identity primary key, code varchar(40) not null unique, kind coupon_kind not null default 'percent', rebate numeric(6, 2) not null check (rebate > 0), order_id bigint references orders (id) on delete set null, created_at timestamptz not null default now(), exclude using btree (code with =)
);
create index coupons_order_idx on coupons (order_id);
comment on table coupons is 'one use each';

-- # enum-value: safe, it is used later
alter type payment_method add value if not exists 'cash' before 'invoice';

-- # enum-new-and-used: safe, the type is new
create type mood as enum ('good', 'bad');
create table moods (customer_id bigint primary key, mood mood not null default 'good');
insert into moods values (1, 'bad');

-- # enum-type-in-do: safe, new type
do $$ begin
  if not exists (select from pg_type where typname = 'shipping') then
    create type shipping as enum ('post', 'courier');
  end if;
  end $$;

-- # savepoint: safe, a part of the transaction
savepoint before_it;
alter table orders add column color text;
release savepoint before_it;

-- # trigger: safe, catalog alone
create function orders_touch() returns trigger language plpgsql as $$ begin new.placed := now(); return new; end $$;
create trigger orders_touch before update on orders for each row execute function orders_touch();

-- # trigger-replaced: safe, catalog alone
create or replace function touch() returns trigger language plpgsql as $$ begin new.seen := clock_timestamp(); return new; end $$;

-- # grants: safe, catalog alone
grant select on orders to public;
alter default privileges in schema public grant select on tables to public;

-- # set-local: safe, ends with the transaction
set local lock_timeout to '2s';
set local statement_timeout to '1min';
alter table orders add column color text;

-- # set-config: safe, ends with the transaction
select set_config('search_path', 'public', true);

-- # sequences: safe, catalog alone
create sequence ticket_numbers start 1000;
alter sequence ticket_numbers increment by 10;

-- # new-schema: safe, new schema
create schema if not exists reporting;
create table reporting.days (day date primary key, total numeric);
create view reporting.orders as select id, placed from public.orders;

-- # function: safe, catalog alone
create function order_total(bigint) returns numeric language sql stable as 'select amount from orders where id = $1';

-- # question-mark: safe, a literal
alter table orders add column hint text default 'why?';

-- # dollar-in-literal: safe, a literal
insert into settings (name, value) values ('price', 'costs 5$ or more');

-- # swap-for-empty-copy: dangerous, breaks
alter table customers rename to customers_old;
create table customers (like customers_old including all);

-- # view-made-anew-with-less: dangerous, breaks
drop view streets;
create view streets as select id from addresses;

-- # performed: dangerous, opaque
do $$ begin perform ticket(); end $$;

-- # rls-before-policy: safe, the policy comes with it
alter table payments enable row level security;
create policy payments_all on payments using (true);

-- # inherits: safe, blocks nobody
create table order_archive () inherits (orders);
