-- What is there before each entry: a shop after some years. The tables of docs/lint.md stand beside these, filled. Those with 2,000 rows are large.

create type payment_method as enum ('card', 'invoice');
create domain email as text;
create domain postcode as text;
create domain positive as int check (value > 0);
create domain required as text not null;
create domain few as positive;
create domain token as uuid default gen_random_uuid();
create schema archive;
create schema billing;

create function shop_rank(int) returns int language sql immutable as 'select $1 * 2';
create function shop_day() returns date language sql stable as 'select current_date';
create function ticket() returns text language plpgsql volatile as $$ begin return md5(random()::text); end $$;
create domain numbered_ticket as text default ticket();
create function starting_state() returns text language sql volatile as $$ select 'open' $$;
create function touch() returns trigger language plpgsql as $$ begin new.seen := now(); return new; end $$;
create procedure clean_up() language plpgsql as $$ begin delete from visits where id < 0; end $$;

create table payments (
  id bigint generated always as identity primary key, order_id bigint, customer_id bigint, method payment_method, amount numeric(10, 2),
  currency char(3), paid_at timestamptz, reference varchar(40), state text, note text, meta jsonb, total numeric, legacy text,
  constraint payments_state_there check (state is not null),
  constraint payments_reference_there check (reference is not null and reference <> ''),
  constraint payments_note_or_legacy check (note is not null or legacy is null)
);
insert into payments (order_id, customer_id, method, amount, currency, paid_at, reference, state, note, meta, total)
  select g, g, 'card', 1.5, 'chf', now(), 'r' || g, 'paid', 'note', '{}', 1.5 from generate_series(1, 2000) g;
alter table payments add constraint payments_order_fk foreign key (order_id) references orders not valid;
alter table payments add constraint payments_amount_check check (amount >= 0) not valid;
alter table payments add constraint payments_meta_there check (meta is not null) not valid;
create index payments_order_idx on payments (order_id);
create index payments_paid_idx on payments (paid_at);
create index payments_reference_idx on payments (reference);

create table visits (id bigint, page text, seen timestamp, address cidr, tries bit varying(8));
insert into visits select g, '/', now(), '10.0.0.0/8', b'1' from generate_series(1, 2000) g;
create unique index visits_id_key on visits (id);

create table sessions (id bigint not null, token text, customer_id bigint);
insert into sessions select g, 'token' || g, g from generate_series(1, 2000) g;
create unique index sessions_id_key on sessions (id);
create unique index sessions_token_key on sessions (token);

create table addresses (
  id bigint primary key, email email, postcode postcode, street text, city varchar(40), note varchar(40), state varchar(10)
);
insert into addresses select g, 'a@b.c', '8000', 'street', 'city', 'note', 'old' from generate_series(1, 2000) g;
create index addresses_city_idx on addresses (lower(city));
create index addresses_note_idx on addresses (note) where id > 10;
create index addresses_recent_idx on addresses (id) where state = 'recent';
create unlogged table caches (key text, value text);
insert into caches select g, 'value' from generate_series(1, 2000) g;
create table archive.orders_2019 (id bigint, note text, placed timestamp);
insert into archive.orders_2019 select g, 'note', now() from generate_series(1, 2000) g;
create table generated (one int, twice int generated always as (one * 2) stored);
insert into generated select g from generate_series(1, 2000) g;
create table settings (name text, value text, changes int);
insert into settings values ('theme', 'dark', 1);
create table billing.plans (id bigint primary key, name text);

create table events (id bigint, at date not null, kind text) partition by range (at);
create table events_2024 partition of events for values from ('2024-01-01') to ('2025-01-01');
create table events_2025 partition of events for values from ('2025-01-01') to ('2026-01-01');
insert into events select g, '2024-02-03', 'seen' from generate_series(1, 2000) g;
create table events_2026 (id bigint, at date not null, kind text, constraint events_2026_bound check (at >= '2026-01-01' and at < '2027-01-01'));
create table events_2027 (id bigint, at date not null, kind text);
insert into events_2026 select g, '2026-02-03', 'seen' from generate_series(1, 2000) g;
insert into events_2027 select g, '2027-02-03', 'seen' from generate_series(1, 2000) g;

create table logs (id bigint, level text not null) partition by list (level);
create table logs_error partition of logs for values in ('error');
create table logs_rest partition of logs default;
insert into logs select g, 'info' from generate_series(1, 2000) g;
alter table logs_rest add constraint logs_rest_without check (not (level = 'fatal'));

create materialized view session_counts as select customer_id, count(*) as total from sessions group by customer_id;
create unique index session_counts_key on session_counts (customer_id);
create materialized view latest_sessions as select customer_id, max(id) as id from sessions group by customer_id;
create view streets as select id, street from addresses where street <> '';

analyze;
-- As a concurrent build that failed leaves it.
update pg_index set indisvalid = false where indexrelid = 'payments_paid_idx'::regclass;
