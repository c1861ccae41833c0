-- # set-not-null: dangerous, scan
alter table orders alter column note set not null;

-- # set-not-null-by-knex-alter: dangerous, scan
alter table "orders" alter column "note" drop default;
alter table "orders" alter column "note" drop not null;
alter table "orders" alter column "note" type text using ("note"::text);
alter table "orders" alter column "note" set not null;

-- # set-not-null-dropped-before-by-knex-alter: dangerous, scan
alter table "customers" alter column "name" drop default;
alter table "customers" alter column "name" drop not null;
alter table "customers" alter column "name" type text using ("name"::text);
alter table "customers" alter column "name" set not null;

-- # set-not-null-beside-others: dangerous, scan
alter table payments add column channel text, alter column note set not null, alter column channel set default 'web';

-- # set-not-null-check-not-validated: dangerous, scan
alter table payments alter column meta set not null;

-- # set-not-null-check-says-less: dangerous, scan
alter table payments alter column note set not null;

-- # set-not-null-on-partitioned: dangerous, scan
alter table events alter column kind set not null;

-- # check: dangerous, scan
alter table orders add constraint orders_amount_check check (amount >= 0);

-- # check-by-knex: dangerous, scan
alter table "orders" add constraint "orders_quantity_positive_1" check("quantity" > 0);

-- # check-inline-by-knex-enum: dangerous, scan
alter table "orders" add column "priority" text check ("priority" in ('low', 'high')) not null default 'low';

-- # check-beside-not-valid-one: dangerous, scan
alter table payments add constraint a check (total > 0) not valid, add constraint b check (amount < 1000000);

-- # check-on-partitioned: dangerous, scan
alter table events add constraint events_id_check check (id > 0);

-- # check-in-other-schema: dangerous, scan
alter table archive.orders_2019 add check (id > 0);

-- # foreign-key-by-knex: dangerous, scan
alter table "orders" add constraint "orders_customer_id_foreign" foreign key ("customer_id") references "customers" ("id") on delete CASCADE;

-- # foreign-key-index-there: dangerous, scan
alter table payments add constraint payments_order_again foreign key (order_id) references orders (id);

-- # foreign-key-beside-default: dangerous, scan
alter table orders add column owner bigint default 1 references customers;

-- # foreign-key-not-valid-without-index: dangerous, slows each delete of a customer
alter table orders add constraint orders_customer_fk foreign key (customer_id) references customers not valid;

-- # foreign-key-of-other-type: dangerous, slows or misses
create table refunds (id bigint primary key, order_id int references orders);
create index refunds_order_idx on refunds (order_id);

-- # unique-by-knex: dangerous, index
alter table "payments" add constraint "payments_reference_unique" unique ("reference");

-- # unique-inline: dangerous, index
alter table customers add column slug varchar(80) unique;

-- # unique-on-null-distinct: dangerous, index
alter table sessions add unique (token, customer_id);

-- # primary-key: dangerous, index
alter table visits add primary key (id);

-- # primary-key-by-knex: dangerous, index
alter table "sessions" add constraint "sessions_pkey" primary key ("id");

-- # primary-key-using-nullable-index: dangerous, scan
alter table visits add constraint visits_pkey primary key using index visits_id_key;

-- # exclude: dangerous, index
alter table orders add constraint orders_apart exclude using btree (id with =);

-- # validate-in-same-transaction: dangerous, scan
alter table orders add constraint orders_amount_check check (amount >= 0) not valid;
alter table orders validate constraint orders_amount_check;

-- # validate-in-same-do: dangerous, scan
do $$ begin
  alter table payments add constraint payments_customer_fk foreign key (customer_id) references customers not valid;
  alter table payments validate constraint payments_customer_fk;
  end $$;

-- # validate-after-column: dangerous, scan
alter table payments add column channel text;
alter table payments validate constraint payments_amount_check;

-- # domain-check: dangerous, scan
alter domain postcode add constraint postcode_length check (length(value) < 12);

-- # domain-not-null: dangerous, scan
alter domain email set not null;

-- # not-null-constraint: dangerous, scan
-- since: 18
alter table orders add constraint orders_note_there not null note;

-- # check-enforced: dangerous, scan
-- since: 18
alter table payments add constraint payments_total_check check (total > 0) enforced;

-- # check-not-valid: safe, no row is read
alter table orders add constraint orders_amount_check check (amount >= 0) not valid;

-- # checks-not-valid-in-one: safe, no row is read
alter table payments add constraint a check (total > 0) not valid, add constraint b check (amount < 1000000) not valid;

-- # validate-check: safe, blocks nobody
alter table payments validate constraint payments_amount_check;

-- # validate-foreign-key: safe, blocks nobody
alter table payments validate constraint payments_order_fk;

-- # foreign-key-not-valid: safe, no row is read
alter table payments add constraint payments_order_again foreign key (order_id) references orders (id) on delete cascade not valid;

-- # set-not-null-proven: safe, a validated check proves it
alter table payments alter column state set not null;

-- # set-not-null-proven-by-half-a-check: safe, a validated check proves it
alter table payments alter column reference set not null;

-- # set-not-null-and-check-dropped-in-one: dangerous, scan
alter table payments alter column state set not null, drop constraint payments_state_there;

-- # set-not-null-proven-and-check-dropped: safe, a validated check proves it
alter table payments alter column state set not null;
alter table payments drop constraint payments_state_there;

-- # set-not-null-already: safe, it is so already
alter table customers alter column name set not null;

-- # set-not-null-of-key: safe, it is so already
alter table orders alter column id set not null;

-- # set-not-null-in-steps: safe, proven first
alter table visits add constraint visits_page_there check (page is not null) not valid;
-- next migration
alter table visits validate constraint visits_page_there;
-- next migration
alter table visits alter column page set not null;
alter table visits drop constraint visits_page_there;

-- # set-not-null-of-small: safe, small table
alter table countries alter column name set not null;

-- # check-on-small: safe, small table
alter table settings add constraint settings_changes_check check (changes >= 0);

-- # unique-on-small: safe, small table
alter table "settings" add constraint "settings_name_unique" unique ("name");

-- # primary-key-on-small: safe, small table
alter table settings add primary key (name);

-- # check-on-new: safe, new table
create table ratings (id bigint primary key, stars int);
alter table ratings add constraint ratings_stars check (stars between 1 and 5);
alter table ratings alter column stars set not null;

-- # foreign-key-of-new-by-knex: safe, new table
create table "order_items" ("id" bigserial primary key, "order_id" bigint not null, "quantity" integer not null default '1');
alter table "order_items" add constraint "order_items_order_id_foreign" foreign key ("order_id") references "orders" ("id") on delete CASCADE;
create index "order_items_order_id_index" on "order_items" ("order_id");

-- # foreign-key-inline-of-new: safe, new table
create table wishes (customer_id bigint references customers, order_id bigint references orders, primary key (customer_id, order_id));
create index wishes_order_idx on wishes (order_id);

-- # foreign-key-column-nullable: safe, every row of it is null
-- transaction: false
alter table orders add column referrer_id bigint references customers;
create index concurrently orders_referrer_idx on orders (referrer_id);

-- # foreign-key-column-of-small: safe, every row of it is null
alter table settings add column customer_id bigint references customers;

-- # foreign-key-column-by-knex: dangerous, slows each delete of a customer
alter table "orders" add column "referrer_id" bigint;
alter table "orders" add constraint "orders_referrer_id_foreign" foreign key ("referrer_id") references "customers" ("id") not valid;

-- # drop-foreign-key: safe, catalog alone
alter table payments drop constraint payments_order_fk;

-- # drop-check: safe, catalog alone
alter table orders drop constraint orders_quantity_check;

-- # rename-constraint: safe, catalog alone
alter table orders rename constraint orders_quantity_check to orders_quantity_positive;

-- # alter-constraint: safe, catalog alone
alter table payments alter constraint payments_order_fk deferrable initially deferred;

-- # domain-check-not-valid: safe, no row is read
alter domain postcode add constraint postcode_length check (length(value) < 12) not valid;

-- # domain-check-unused: safe, no table has it
create domain iban as text;
alter domain iban add constraint iban_length check (length(value) < 40);

-- # not-null-not-valid: safe, no row is read
-- since: 18
alter table orders add constraint orders_note_there not null note not valid;

-- # check-not-enforced: safe, no row is read
-- since: 18
alter table orders add constraint orders_amount_hint check (amount >= 0) not enforced;

-- # replace-check: safe, no row is read
alter table orders drop constraint orders_quantity_check, add constraint orders_quantity_check check (quantity between 1 and 100) not valid;

-- # foreign-key-of-filled-new-table: dangerous, scan
create table order_notes as select id as order_id, note from orders where id < 1500;
create index order_notes_order_idx on order_notes (order_id);
alter table order_notes add foreign key (order_id) references orders;
