-- # attach: dangerous, scan
alter table events attach partition events_2027 for values from ('2027-01-01') to ('2028-01-01');

-- # attach-check-of-less: dangerous, scan
alter table events attach partition events_2026 for values from ('2026-02-01') to ('2027-01-01');

-- # attach-as-default: dangerous, scan
alter table events attach partition events_2027 default;

-- # partition-beside-full-default: dangerous, scan
create table logs_debug partition of logs for values in ('debug');

-- # detach: dangerous, waits
alter table events detach partition events_2024;

-- # detach-concurrently-in-transaction: dangerous, fails
alter table events detach partition events_2024 concurrently;

-- # drop-partition: dangerous, destroys
drop table events_2024;

-- # new-partition: safe, no default partition
create table events_2028 partition of events for values from ('2028-01-01') to ('2029-01-01');

-- # new-default-partition: safe, nothing is in it
create table events_rest partition of events default;

-- # new-partition-proven: safe, a check of the default partition proves it
create table logs_fatal partition of logs for values in ('fatal');

-- # attach-proven: safe, a validated check proves it
alter table events attach partition events_2026 for values from ('2026-01-01') to ('2027-01-01');

-- # attach-new: safe, new table
create table events_2029 (like events including defaults including constraints);
alter table events attach partition events_2029 for values from ('2029-01-01') to ('2030-01-01');

-- # detach-concurrently: safe, blocks nobody
-- transaction: false
alter table events detach partition events_2025 concurrently;

-- # new-partitioned: safe, new table
create table metrics (id bigint generated always as identity, at timestamptz not null default now(), value double precision, primary key (id, at)) partition by range (at);
create table metrics_1 partition of metrics for values from (minvalue) to ('2026-01-01');
create table metrics_2 partition of metrics for values from ('2026-01-01') to (maxvalue);
create index metrics_at_idx on metrics (at);

-- # partitions-in-do: safe, nothing is read
do $$ begin
  create table if not exists events_2030 partition of events for values from ('2030-01-01') to ('2031-01-01');
  create table if not exists events_2031 partition of events for values from ('2031-01-01') to ('2032-01-01');
  end $$;

-- # column-of-partitioned: safe, no row is written
alter table events add column source text not null default 'web';
