-- # default-uuid-by-knex: dangerous, rewrite
alter table "orders" add column "public_id" uuid not null default gen_random_uuid();

-- # default-random: dangerous, rewrite
alter table customers add column bucket double precision default random();

-- # default-clock: dangerous, rewrite
alter table orders add column seen_at timestamptz default clock_timestamp();

-- # default-own-volatile: dangerous, rewrite
alter table payments add column ticket text default ticket();

-- # default-volatile-inside: dangerous, rewrite
alter table payments add column ticket text default upper('t-' || ticket());

-- # default-volatile-beside-others: dangerous, rewrite
alter table payments add column a text, add column b int not null default 0, add column c uuid default gen_random_uuid();

-- # default-sequence: dangerous, rewrite
create sequence order_numbers;
alter table orders add column number bigint not null default nextval('order_numbers');

-- # serial: dangerous, rewrite
alter table "orders" add column "number" bigserial;

-- # identity: dangerous, rewrite
alter table visits add column visit bigint generated always as identity;

-- # stored: dangerous, rewrite
alter table orders add column total numeric generated always as (amount * quantity) stored;

-- # stored-tsvector: dangerous, rewrite
alter table payments add column search tsvector generated always as (to_tsvector('simple', coalesce(note, ''))) stored;

-- # constrained-domain: dangerous, rewrite
alter table orders add column units positive default 1;

-- # constrained-domain-below: dangerous, rewrite
alter table orders add column units few default 1;
-- # volatile-domain: dangerous, rewrite
alter table orders add column token token;
-- # volatile-domain-of-own-function: dangerous, rewrite
alter table orders add column ticket numbered_ticket;
-- # volatile-domain-without-its-default: safe, every row of it is null
alter table orders add column token token default null;
-- # virtual-not-null: dangerous, scan
-- since: 18
alter table orders add column total numeric generated always as (amount * quantity) virtual not null;
-- # not-null-no-default: dangerous, fails
alter table "orders" add column "kind" varchar(255) not null;

-- # not-null-no-default-in-do: dangerous, fails
do $$ begin
  alter table customers add column region text not null;
  exception when duplicate_column then null;
  end $$;

-- # serial-on-archive: dangerous, rewrite
alter table archive.orders_2019 add column number serial;

-- # nullable: safe, no row is written
alter table "orders" add column "nickname" varchar(255) null;

-- # nullable-json: safe, no row is written
alter table orders add column extra jsonb;

-- # not-null-default: safe, no row is written
alter table "orders" add column "is_gift" boolean not null default '0';

-- # default-now: safe, no row is written
alter table orders add column created_at timestamptz not null default now();

-- # timestamps-by-knex: safe, no row is written
alter table "payments" add column "created_at" timestamptz not null default CURRENT_TIMESTAMP, add column "updated_at" timestamptz not null default CURRENT_TIMESTAMP;

-- # default-computed-once: safe, no row is written
alter table payments add column due_at date default (current_date + 30), add column tags text[] not null default '{}';

-- # default-interval: safe, no row is written
alter table orders add column expires timestamptz default now() + interval '90 days';

-- # default-immutable-function: safe, no row is written
alter table orders add column rank int default shop_rank(21);

-- # default-stable-function: safe, no row is written
alter table orders add column day date not null default shop_day();

-- # default-volatile-inlined: safe, PostgreSQL inlines it to a constant
alter table orders add column state text default starting_state();

-- # default-jsonb: safe, no row is written
alter table payments add column flags jsonb not null default '{}'::jsonb;

-- # default-enum: safe, no row is written
alter table orders add column method payment_method not null default 'invoice';

-- # column-if-not-exists: safe, no row is written
alter table orders add column if not exists note text, add column if not exists hint text;

-- # column-of-plain-domain: safe, no row is written
alter table customers add column second_email email;

-- # volatile-default-for-new-rows: safe, rows that are there stay null
alter table orders add column public_id uuid;
alter table orders alter column public_id set default gen_random_uuid();

-- # sequence-for-new-rows: safe, rows that are there stay null
alter table orders add column number bigint;
create sequence orders_number_seq owned by orders.number;
alter table orders alter column number set default nextval('orders_number_seq');

-- # virtual: safe, computed when it is read
-- since: 18
alter table orders add column total numeric generated always as (amount * quantity) virtual;

-- # identity-of-old-column: safe, no row is written
alter table orders alter column id add generated by default as identity (start with 10000);

-- # defaults-changed: safe, catalog alone
alter table orders alter column status set default 'open', alter column note drop default;

-- # statistics: safe, catalog alone
alter table orders alter column customer_id set statistics 500, alter column note set storage external;

-- # comments: safe, catalog alone
comment on table "orders" is 'What was ordered; why?';
comment on column "orders"."note" is '';

-- # serial-of-new: safe, new table
create table parcels (code text not null);
insert into parcels select 'p' || g from generate_series(1, 2000) g;
alter table parcels add column id bigserial primary key;
alter table parcels add column public_id uuid not null default gen_random_uuid();

-- # volatile-on-small: safe, small table
alter table settings add column key uuid not null default gen_random_uuid();

-- # not-null-no-default-on-empty: safe, no row is there
alter table billing.plans add column price numeric not null;

-- # column-of-not-null-domain: dangerous, fails
alter table orders add column kind required;

-- # check-on-new-column: dangerous, scan
alter table orders add column weight int, add constraint orders_weight check (weight > 0);

-- # not-null-after-default: dangerous, scan
alter table orders add column weight int default 0;
alter table orders alter column weight set not null;

-- # alter-if-exists-missing: safe, nothing is there
alter table if exists nowhere add column id serial;

-- # compression: safe, catalog alone
alter table orders alter column note set compression pglz;

-- # expand-in-steps: safe, one step a migration
alter table addresses add column zip text;
create function addresses_zip() returns trigger language plpgsql as $$ begin new.zip := new.postcode; return new; end $$;
create trigger addresses_zip before insert or update on addresses for each row execute function addresses_zip();
-- next migration
-- transaction: false
update addresses set zip = postcode where id between 1 and 1000;
update addresses set zip = postcode where id between 1001 and 2000;
-- next migration
alter table addresses add constraint addresses_zip_there check (zip is not null) not valid;
-- next migration
alter table addresses validate constraint addresses_zip_there;
-- next migration
alter table addresses alter column zip set not null;
alter table addresses drop constraint addresses_zip_there;
