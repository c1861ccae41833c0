import type pg from 'pg';
import type { Query } from '../../src/schema/index.js';
import type { TestDatabase } from '../support/servers.js';

/** A `query` for readSchema: each statement on a connection of its own. */
export function queryOf(database: TestDatabase): Query {
  return async (text) => await database.query(text);
}

/** A `query` for readSchema on one connection. */
export function queryBy(client: pg.Client): Query {
  return async (text) => [await client.query(text)].flat().at(-1)?.rows as unknown[];
}

/** The schema that the tests change: something of every kind that PostgreSQL 14 knows. */
export const fixture = `
create schema app;
create type app.mood as enum ('sad', 'ok');
create type app.spare as enum ('one', 'two');
create type app.address as (street text, zip varchar(10) collate "C");
create domain app.percentage as int check (value between 0 and 100);
create sequence app.numbers;
create table app.patients (
  id serial primary key, name text not null, status varchar(20) not null default 'new' check (status in ('new', 'old')),
  born date, mood app.mood default 'ok', risk numeric(5, 2), email text, upper_name text generated always as (upper(name)) stored,
  constraint patients_email unique (email));
create table app.documents (
  id bigint generated always as identity primary key, patient_id int not null, body text, at timestamptz not null default '2020-01-01 00:00+02',
  took interval default '1 day 02:00', pages int,
  constraint documents_patient foreign key (patient_id) references app.patients (id),
  constraint documents_pages check (pages > 0));
create index patients_new on app.patients (risk) where status in ('new', 'it''s, or '' was') or status in ('old', null);
create index documents_at on app.documents (at) where body is not null;
create index documents_lower on app.documents (lower(body));
create table app.events (id int not null, at timestamptz not null, primary key (id, at)) partition by range (at);
create table app.events_1 partition of app.events for values from ('2024-01-01 00:00+03') to ('2025-01-01');
create table app.events_2 partition of app.events for values from ('2025-01-01') to ('2026-01-01');
create index events_at on app.events (at);
create table app.constants (raw bytea default '\\x01ff', weight float8 default '1.2345678901234567'::float8, path text default 'a\\b');
create table app.parent (a int check (a > 0));
create table app.child (b int) inherits (app.parent);
create table app.loose (a int, constraint parent_a_check check (a > 0));
create view app.names as select id, name from app.patients where status in ('new', 'old');
create materialized view app.counts as select status, count(*) as n from app.patients group by status;
create function app.touch() returns trigger language plpgsql as 'begin return new; end';
create function app.fire() returns event_trigger language plpgsql as 'begin end';
create function app.double(a int, b int default 2) returns int language sql as 'select a * b';
create function app.total() returns bigint language sql begin atomic select count(*) from app.patients; end;
create trigger touched before update on app.documents for each row execute function app.touch();
create trigger logged after insert on app.events for each row execute function app.touch();
create event trigger fired on ddl_command_end when tag in ('CREATE TABLE') execute function app.fire();
create rule copied as on delete to app.parent do also insert into app.child (b) values (old.a);
create policy seen on app.documents for select to pg_monitor using (patient_id in (select id from app.patients));
create statistics app.related (dependencies) on patient_id, pages from app.documents;
create text search configuration app.words (copy = simple);
create publication changes for table app.patients;
create foreign data wrapper files options (b '1', a '2');
create server remote foreign data wrapper files options (host 'h', dbname 'd');
create foreign table app.far (a int options (name 'x')) server remote options (file 'f');
grant select on app.patients to pg_monitor;
alter default privileges in schema public grant select on tables to pg_monitor;
comment on table app.patients is 'Who is treated';`;
