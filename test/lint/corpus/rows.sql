-- # update-all: dangerous, rows
update orders set status = 'open';

-- # update-all-by-knex: dangerous, rows
update "orders" set "status" = 'open', "note" = 'none';

-- # update-where-true: dangerous, rows
update customers set country = 'ch' where true;

-- # update-all-in-do: dangerous, rows
do $$ begin update payments set currency = 'eur'; end $$;

-- # update-all-in-loop: dangerous, rows
do $$ declare each record; begin for each in update payments set currency = 'eur' returning id loop null; end loop; end $$;
-- # update-new-column: dangerous, scan
alter table orders add column region text;
update orders set region = 'eu' where region is null;

-- # delete-all: dangerous, rows
delete from visits;

-- # delete-all-in-with: dangerous, rows
create table visits_old (like visits);
with gone as (delete from visits returning *) insert into visits_old select * from gone;

-- # update-after-alter: dangerous, scan
alter table customers add column visits int;
update orders set note = 'old' where placed < '2020-01-01';

-- # copied-after-alter: dangerous, scan
alter table orders add column region text;
create table order_notes as select id, note from orders;

-- # inserted-after-alter: dangerous, scan
alter table customers add column region text;
create table regions (order_id bigint, note text);
insert into regions select id, note from orders;

-- # validate-after-other-alter: dangerous, scan
alter table customers add column region text;
alter table payments validate constraint payments_amount_check;

-- # truncate: dangerous, destroys
truncate visits;

-- # truncate-cascade: dangerous, destroys
truncate table orders restart identity cascade;

-- # lock-share: dangerous, waits
lock table orders in share mode;
update orders set status = 'open' where id = 1;

-- # lock-exclusive: dangerous, waits
lock table orders;

-- # two-large-tables: dangerous, deadlocks with who takes them the other way around
alter table orders add column color text;
alter table customers add column color text;

-- # vacuum-full: dangerous, rewrite
-- transaction: false
vacuum full caches;

-- # cluster: dangerous, rewrite
cluster payments using payments_order_idx;

-- # set-logged: dangerous, rewrite
alter table caches set logged;

-- # set-unlogged: dangerous, rewrite
alter table sessions set unlogged;

-- # refresh: dangerous, rewrite
refresh materialized view session_counts;

-- # refresh-concurrently-without-key: dangerous, fails
refresh materialized view concurrently latest_sessions;

-- # vacuum-in-transaction: dangerous, fails
vacuum orders;

-- # update-by-id: safe, a row
update orders set note = 'corrected' where id = 17;

-- # update-by-ids: safe, some rows
update "orders" set "status" = 'closed' where "id" in (1, 2, 3);

-- # update-small: safe, small table
update settings set value = 'light';

-- # update-in-batches: safe, each commits
-- transaction: false
update orders set note = 'batch' where id between 1 and 1000;
update orders set note = 'batch' where id between 1001 and 2000;

-- # delete-by-id: safe, a row
delete from customers where id = 2000;

-- # delete-small: safe, small table
delete from settings where name = 'theme';

-- # insert-rows: safe, some rows
insert into countries (code, name) values ('de', 'Germany'), ('at', 'Austria') on conflict (code) do nothing;

-- # insert-returned: safe, some rows
insert into "settings" ("name", "value") values ('a', 'b') returning "name";

-- # fill-new-table: safe, readers and writers go on
create table order_notes (order_id bigint primary key, note text);
insert into order_notes select id, note from orders;

-- # fill-new-table-and-update-it: safe, new table
create table picked as select id, note from orders;
update picked set note = upper(note);

-- # setval: safe, catalog alone
select setval('payments_id_seq', 100000, true);

-- # lock-that-blocks-nobody: safe, blocks nobody
lock table orders in access share mode;

-- # refresh-concurrently: safe, readers go on
refresh materialized view concurrently session_counts;

-- # vacuum: safe, blocks nobody
-- transaction: false
vacuum (analyze) addresses;

-- # analyze: safe, blocks nobody
analyze orders;

-- # options: safe, blocks nobody
alter table orders set (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02);

-- # cluster-on: safe, catalog alone
alter table payments cluster on payments_order_idx;

-- # large-and-small: safe, one of them is small
alter table orders add column color text;
alter table settings add column color text;

-- # two-commands-of-one-table: safe, catalog alone
alter table orders add column color text;
alter table orders add column size int not null default 1;

-- # update-after-trigger: dangerous, scan
create trigger visits_touch before update on visits for each row execute function touch();
update visits set page = '/' where page = '';

-- # update-after-foreign-key: dangerous, scan
alter table payments add constraint payments_order_again foreign key (order_id) references orders not valid;
update payments set note = 'old' where state = 'unpaid';

-- # update-after-alter-of-small: dangerous, scan
alter table settings add column color text;
update orders set note = 'older' where note = 'old';

-- # count-after-alter: dangerous, scan
alter table customers add column color text;
select count(*) from orders where note = 'old';

-- # select-by-id-after-alter: safe, a row
alter table customers add column color text;
select * from orders where id = 17;
select exists (select 1 from orders where id = 4);

-- # counter-after-alter: safe, an end of the index tells
alter table visits alter column id set default 1;
select setval('payments_id_seq', max(id)) from visits having max(id) >= 1;
-- # count-and-largest-after-alter: dangerous, scan
alter table payments add column color text;
select count(*), max(id) from payments;
-- # largest-of-each-after-alter: dangerous, scan
alter table payments add column color text;
select max(id) from payments group by currency;
-- # largest-without-index-after-alter: dangerous, scan
alter table payments add column color text;
select max(total) from payments;
-- # matview-after-alter: dangerous, scan
alter table orders add column color text;
create materialized view order_colors as select color, count(*) from orders group by color;

-- # alter-system: dangerous, fails
alter system set work_mem to '64MB';

-- # create-database: dangerous, fails
create database reports;

-- # truncate-partition: dangerous, destroys
truncate events_2024;

-- # update-before-alter: safe, the lock comes last
update orders set note = 'old' where status = 'closed';
alter table orders add column color text;
