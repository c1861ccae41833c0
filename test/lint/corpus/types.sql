-- # int-to-bigint: dangerous, rewrite
alter table orders alter column quantity type bigint;

-- # int-to-bigint-by-knex: dangerous, rewrite
alter table "orders" alter column "quantity" drop default;
alter table "orders" alter column "quantity" drop not null;
alter table "orders" alter column "quantity" type bigint using ("quantity"::bigint);

-- # bigint-to-int: dangerous, rewrite
alter table orders alter column customer_id type int;

-- # varchar-narrower: dangerous, rewrite
alter table customers alter column email type varchar(50);

-- # text-to-varchar: dangerous, rewrite
alter table orders alter column note type varchar(200);

-- # text-to-json: dangerous, rewrite
alter table payments alter column legacy type jsonb using legacy::jsonb;

-- # json-to-jsonb: dangerous, rewrite
alter table orders alter column data type jsonb using data::jsonb;

-- # text-to-enum: dangerous, rewrite
create type order_status as enum ('open', 'closed');
alter table orders alter column status type order_status using status::order_status;

-- # enum-to-text: dangerous, rewrite
alter table payments alter column method type text;

-- # numeric-other-scale: dangerous, rewrite
alter table orders alter column amount type numeric(12, 4);

-- # char-to-text: dangerous, rewrite
alter table customers alter column country type text;

-- # timestamp-to-zoned: dangerous, rewrite
set local timezone to 'Europe/Zurich';
alter table orders alter column placed type timestamptz;

-- # timestamp-to-zoned-using: dangerous, rewrite
alter table orders alter column placed type timestamptz using placed at time zone 'UTC';

-- # timestamp-coarser: dangerous, rewrite
alter table payments alter column paid_at type timestamptz(0);

-- # converted-same-type: dangerous, rewrite
alter table customers alter column name type text using trim(name);

-- # one-of-two-converts: dangerous, rewrite
alter table customers alter column email type varchar(200), alter column country type varchar(2);

-- # wider-under-check-not-valid: safe, the check is not verified
alter table payments alter column amount type numeric(12, 2);

-- # text-to-varchar-under-check: dangerous, scan
alter table payments alter column state type varchar;

-- # wider-under-partial-index: dangerous, index
alter table addresses alter column note type varchar;

-- # wider-under-predicate: dangerous, index
alter table addresses alter column state type varchar(20);

-- # wider-under-expression-index: dangerous, index
alter table addresses alter column city type varchar(80);

-- # same-type-under-invalid-index: dangerous, index
alter table payments alter column paid_at type timestamptz(6);

-- # wider-varchar-under-check: dangerous, scan
alter table payments alter column reference type varchar(80);

-- # other-collation-of-indexed: dangerous, index
alter table orders alter column status type varchar(20) collate "C";

-- # to-constrained-domain: dangerous, rewrite
alter table orders alter column quantity type positive;

-- # set-expression: dangerous, rewrite
-- since: 17
alter table generated alter column twice set expression as (one * 3);

-- # varchar-wider: safe, catalog alone
alter table customers alter column email type varchar(255);

-- # varchar-wider-by-knex: safe, catalog alone
alter table "customers" alter column "email" type varchar(320) using ("email"::varchar(320));

-- # varchar-to-text: safe, catalog alone
alter table customers alter column email type text;

-- # varchar-unlimited: safe, catalog alone
alter table customers alter column email type varchar;

-- # text-to-unlimited-varchar: safe, catalog alone
alter table customers alter column name type varchar;

-- # numeric-wider: safe, catalog alone
alter table orders alter column amount type numeric(14, 2);

-- # numeric-unlimited: safe, catalog alone
alter table orders alter column amount type numeric;

-- # timestamp-to-zoned-in-utc: safe, catalog alone
set local timezone to 'UTC';
alter table orders alter column placed type timestamptz;

-- # timestamp-finest: safe, catalog alone
alter table orders alter column placed type timestamp(6);

-- # cidr-to-inet: safe, catalog alone
alter table visits alter column address type inet;

-- # varbit-wider: safe, catalog alone
alter table visits alter column tries type bit varying(16);

-- # same-type: safe, catalog alone
alter table customers alter column name type text using name::text;

-- # to-plain-domain: safe, catalog alone
alter table customers alter column name type email;

-- # converted-on-small: safe, small table
alter table settings alter column changes type bigint;

-- # converted-on-new: safe, new table
create table drafts as select id, quantity from orders where id < 5;
alter table drafts alter column quantity type text;

-- # wider-in-do: safe, catalog alone
do $$ begin alter table customers alter column email type varchar(255); end $$;

-- # varchar-indexed-wider: safe, catalog alone
alter table orders alter column status type varchar(40);
