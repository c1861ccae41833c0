-- # index-by-knex: dangerous, index
create index "orders_customer_id_index" on "orders" ("customer_id");

-- # index-unique-by-knex: dangerous, index
create unique index "orders_id_note_unique" on "orders" ("id", "note");

-- # index-gin: dangerous, index
create index payments_meta_idx on payments using gin (meta);

-- # index-on-expression: dangerous, index
create index customers_email_lower_idx on customers (lower(email));

-- # index-partial: dangerous, index
create index if not exists orders_open_idx on orders (placed) where status = 'open';

-- # index-in-do: dangerous, index
do $$ begin
  if not exists (select from pg_indexes where indexname = 'orders_placed_idx') then
    create index orders_placed_idx on orders (placed);
  end if;
  end $$;

-- # index-executed-in-do: dangerous, index
do $$ begin execute 'create index orders_placed_idx on orders (placed)'; end $$;

-- # index-in-other-schema: dangerous, index
create index orders_2019_placed on archive.orders_2019 (placed);

-- # index-by-search-path: dangerous, index
set local search_path to archive;
create index orders_2019_id on orders_2019 (id);

-- # index-on-partitioned: dangerous, index
create index events_kind_idx on events (kind);

-- # index-on-matview: safe, readers go on and nobody writes to it
create index session_counts_total_idx on session_counts (total);

-- # index-after-column: dangerous, index
alter table orders add column region text;
create index orders_region_idx on orders (region);

-- # index-on-renamed-old: dangerous, index
alter table visits rename to page_views;
create view visits as select * from page_views;
create index page_views_page on page_views (page);

-- # index-concurrently-in-transaction: dangerous, fails
create index concurrently orders_customer_idx on orders (customer_id);

-- # index-concurrently-on-partitioned: dangerous, fails
-- transaction: false
create index concurrently events_kind_idx on events (kind);

-- # indexes-concurrently-in-one-message: dangerous, fails
-- transaction: false
create index concurrently orders_x_idx on orders (customer_id); create index concurrently orders_y_idx on orders (placed);

-- # index-if-not-exists-over-invalid: dangerous, nothing happens and the index stays invalid
-- transaction: false
create index concurrently if not exists payments_paid_idx on payments (paid_at);

-- # index-twice: dangerous, slows each write for nothing
-- transaction: false
create index concurrently orders_state_idx on orders (status);

-- # drop-index: dangerous, waits
drop index orders_status_idx;

-- # drop-index-if-exists: dangerous, waits
drop index if exists "payments_order_idx";

-- # drop-index-concurrently-in-transaction: dangerous, fails
drop index concurrently orders_status_idx;

-- # reindex-table: dangerous, index
reindex table orders;

-- # reindex-index: dangerous, index
reindex index orders_status_idx;

-- # reindex-schema-in-transaction: dangerous, fails
reindex schema archive;

-- # index-concurrently: safe, blocks nobody
-- transaction: false
create index concurrently orders_customer_idx_1 on orders (customer_id);

-- # index-unique-concurrently: safe, blocks nobody
-- transaction: false
create unique index concurrently orders_customer_key_1 on orders (customer_id, id);

-- # index-concurrently-if-not-exists: safe, blocks nobody
-- transaction: false
create index concurrently if not exists orders_placed_idx_1 on orders (placed desc);

-- # index-concurrently-in-other-schema: safe, blocks nobody
-- transaction: false
create index concurrently orders_2019_idx_1 on archive.orders_2019 (id);

-- # drop-index-concurrently: safe, blocks nobody
-- transaction: false
drop index concurrently if exists payments_reference_idx;

-- # reindex-concurrently: safe, blocks nobody
-- transaction: false
reindex index concurrently orders_status_idx;

-- # index-redone: safe, the invalid one is dropped first
-- transaction: false
drop index concurrently if exists payments_paid_idx;
create index concurrently payments_paid_idx on payments (paid_at);

-- # index-on-partitions-in-steps: safe, the parent last
create index events_id_idx on only events (id);
-- next migration
-- transaction: false
create index concurrently events_2024_id_idx on events_2024 (id);
create index concurrently events_2025_id_idx on events_2025 (id);
-- next migration
alter index events_id_idx attach partition events_2024_id_idx;
alter index events_id_idx attach partition events_2025_id_idx;

-- # index-on-small: safe, small table
create index countries_name_idx on countries (name);

-- # index-on-new-by-knex: safe, new table
create table "tags" ("id" serial primary key, "name" varchar(255) not null, "created_at" timestamptz not null default CURRENT_TIMESTAMP);
create index "tags_name_index" on "tags" ("name");

-- # index-on-new-renamed: safe, new table
create table orders_new (like orders including all);
alter table orders_new rename to orders_next;
create index orders_next_note on orders_next (note);

-- # index-on-ctas: safe, new table
create table order_days as select placed::date as day, count(*) from orders group by 1;
create unique index order_days_day on order_days (day);

-- # index-on-temporary: safe, new table
create temp table picked on commit drop as select id from orders where id < 10;
create index on picked (id);

-- # index-on-new-in-other-schema: safe, new table
create table billing.invoices (id bigint primary key, order_id bigint, sum numeric(12, 2));
create index invoices_order_idx on billing.invoices (order_id);

-- # index-on-new-matview: safe, new view
create materialized view states as select status, count(*) from orders group by status;
create unique index states_key on states (status);

-- # index-if-not-exists-there: safe, it is there and valid
create index if not exists orders_status_idx on orders (status);

-- # index-renamed: safe, catalog alone
alter index orders_status_idx rename to orders_by_status;

-- # index-options: safe, catalog alone
alter index orders_status_idx set (fillfactor = 80);

-- # drop-index-of-small: safe, small table
create index settings_name on settings (name);
drop index settings_name;

-- # unique-using-index: safe, the index is there
alter table sessions add constraint sessions_token_unique unique using index sessions_token_key;

-- # primary-key-using-index: safe, the index is there and the column is not null
alter table sessions add constraint sessions_pkey primary key using index sessions_id_key;

-- # unique-in-steps: safe, index first
-- transaction: false
create unique index concurrently addresses_key on addresses (id, street);
-- next migration
alter table addresses add constraint addresses_unique unique using index addresses_key;

-- # index-on-maybe-new: dangerous, index
create table if not exists orders (id bigint primary key, note text);
create index orders_note_idx on orders (note);

-- # index-on-select-into: safe, new table
select id, note into order_copies from orders;
create index order_copies_note on order_copies (note);

-- # index-on-shadow: safe, new table
create temp table orders (id bigint, note text);
create index orders_temporary on orders (note);
