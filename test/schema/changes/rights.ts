import type { Row } from './row.js';

export const rights: readonly Row[] = [
  [
    'create policy more on app.documents for insert with check (true)',
    'drop policy more on app.documents',
    'added policy more on app.documents',
  ],
  [
    'alter policy seen on app.documents to public',
    'alter policy seen on app.documents to pg_monitor',
    'changed policy seen on app.documents',
  ],
  [
    'alter policy seen on app.documents using (patient_id = 1)',
    'alter policy seen on app.documents using (patient_id in (select id from app.patients))',
    'changed policy seen on app.documents',
  ],
  [
    'grant insert on app.patients to pg_monitor',
    'revoke insert on app.patients from pg_monitor',
    'changed grant table app.patients to pg_monitor',
  ],
  [
    'grant select on app.patients to pg_monitor with grant option',
    'revoke grant option for select on app.patients from pg_monitor',
    'changed grant table app.patients to pg_monitor',
  ],
  ['grant select on app.loose to public', 'revoke select on app.loose from public', 'added grant table app.loose to PUBLIC'],
  [
    'grant update (name) on app.patients to pg_monitor',
    'revoke update (name) on app.patients from pg_monitor',
    'added grant column app.patients.name to pg_monitor',
  ],
  ['grant usage on schema app to public', 'revoke usage on schema app from public', 'added grant schema app to PUBLIC'],
  [
    'grant usage on sequence app.numbers to public',
    'revoke usage on sequence app.numbers from public',
    'added grant sequence app.numbers to PUBLIC',
  ],
  ['revoke usage on type app.mood from public', 'grant usage on type app.mood to public', 'dropped grant enum app.mood to PUBLIC'],
  [
    'revoke execute on function app.touch() from public',
    'grant execute on function app.touch() to public',
    'dropped grant function app.touch() to PUBLIC',
  ],
  ['grant maintain on app.loose to public', 'revoke maintain on app.loose from public', 'added grant table app.loose to PUBLIC', 17],
  [
    'alter table app.loose owner to pg_monitor',
    'alter table app.loose owner to postgres',
    ['dropped grant table app.loose to postgres', 'added grant table app.loose to pg_monitor'],
  ],
  [
    'alter default privileges in schema public grant insert on tables to pg_monitor',
    'alter default privileges in schema public revoke insert on tables from pg_monitor',
    'changed default privileges of postgres on tables in public',
  ],
  [
    'alter default privileges revoke execute on functions from public',
    'alter default privileges grant execute on functions to public',
    'added default privileges of postgres on functions',
  ],
];

export const comments: readonly Row[] = (
  [
    'column app.patients.name',
    'index app.documents_at',
    'view app.names',
    'schema app',
    'enum app.mood',
    'trigger touched on app.documents',
    'constraint documents_pages on app.documents',
    'composite type app.address',
    'function app.touch()',
    'publication changes',
    'sequence app.numbers',
    'policy seen on app.documents',
  ] as const
).map((what): Row => {
  const listed = what.startsWith('index') ? 'index documents_at on app.documents' : what;
  const object = what.replace(/^(enum|composite type)/, 'type');
  return [`comment on ${object} is 'text'`, `comment on ${object} is null`, `added comment ${listed}`];
});

export const others: readonly Row[] = [
  [`comment on table app.patients is 'text'`, `comment on table app.patients is 'Who is treated'`, 'changed comment table app.patients'],
  [`comment on column app.address.zip is 'text'`, 'comment on column app.address.zip is null', 'added comment attribute app.address.zip'],
  [
    `comment on index app.patients_pkey is 'text'`,
    'comment on index app.patients_pkey is null',
    'added comment index patients_pkey on app.patients',
  ],
  ['create extension hstore', 'drop extension hstore', 'added extension hstore'],
  ['create publication more for all tables', 'drop publication more', 'added publication more'],
  [
    'alter publication changes add table app.documents',
    'alter publication changes drop table app.documents',
    'added publication table app.documents in changes',
  ],
  [
    `alter publication changes set (publish = 'insert')`,
    `alter publication changes set (publish = 'insert, update, delete, truncate')`,
    'changed publication changes',
  ],
  [
    'alter publication changes set table app.patients where (id > 5)',
    'alter publication changes set table app.patients',
    'changed publication table app.patients in changes',
    15,
  ],
  [
    'alter publication changes set table app.patients (id, name)',
    'alter publication changes set table app.patients',
    'changed publication table app.patients in changes',
    15,
  ],
  [
    'alter publication changes add tables in schema app',
    'alter publication changes drop tables in schema app',
    'added publication schema app in changes',
    15,
  ],
  [`create foreign data wrapper more`, 'drop foreign data wrapper more', 'added foreign data wrapper more'],
  [`alter server remote options (set host 'i')`, `alter server remote options (set host 'h')`, 'changed server remote'],
  [
    `alter foreign table app.far options (set file 'g')`,
    `alter foreign table app.far options (set file 'f')`,
    'changed foreign table app.far',
  ],
  [
    `alter foreign table app.far alter a options (set name 'y')`,
    `alter foreign table app.far alter a options (set name 'x')`,
    'changed column app.far.a',
  ],
];
