import type { Row } from './row.js';

export const constraints: readonly Row[] = [
  [
    'alter table app.parent add constraint small check (a < 10)',
    'alter table app.parent drop constraint small',
    'added constraint small on app.parent',
  ],
  [
    'alter table app.documents add check (at > now())',
    'alter table app.documents drop constraint documents_at_check',
    'added constraint documents_at_check on app.documents',
  ],
  [
    'alter table app.documents drop constraint documents_pages, add constraint documents_pages check (pages > 1)',
    'alter table app.documents drop constraint documents_pages, add constraint documents_pages check (pages > 0)',
    'changed constraint documents_pages on app.documents',
  ],
  [
    'alter table app.documents drop constraint documents_pages, add constraint documents_pages check (pages > 0) not valid',
    'alter table app.documents validate constraint documents_pages',
    'changed constraint documents_pages on app.documents',
  ],
  [
    'alter table app.documents drop constraint documents_patient, add constraint documents_patient foreign key (patient_id) references app.patients (id) on delete cascade',
    'alter table app.documents drop constraint documents_patient, add constraint documents_patient foreign key (patient_id) references app.patients (id)',
    'changed constraint documents_patient on app.documents',
  ],
  [
    'alter table app.documents alter constraint documents_patient deferrable',
    'alter table app.documents alter constraint documents_patient not deferrable',
    'changed constraint documents_patient on app.documents',
  ],
  [
    'alter table app.documents alter constraint documents_patient not enforced',
    'alter table app.documents alter constraint documents_patient enforced',
    'changed constraint documents_patient on app.documents',
    18,
  ],
  [
    'alter table app.documents disable trigger all',
    'alter table app.documents enable trigger all',
    ['changed constraint documents_patient on app.documents', 'changed trigger touched on app.documents'],
  ],
  [
    'alter table app.documents drop constraint documents_pkey',
    'alter table app.documents add primary key (id)',
    'dropped constraint documents_pkey on app.documents',
  ],
  [
    'alter table app.patients drop constraint patients_email',
    'alter table app.patients add constraint patients_email unique (email)',
    'dropped constraint patients_email on app.patients',
  ],
  [
    'alter table app.patients drop constraint patients_email, add constraint patients_email unique nulls not distinct (email)',
    'alter table app.patients drop constraint patients_email, add constraint patients_email unique (email)',
    'changed constraint patients_email on app.patients',
    15,
  ],
  [
    'alter index app.patients_email set (fillfactor = 50)',
    'alter index app.patients_email reset (fillfactor)',
    'changed constraint patients_email on app.patients',
  ],
  [
    'alter table app.loose add exclude (a with =)',
    'alter table app.loose drop constraint loose_a_excl',
    'added constraint loose_a_excl on app.loose',
  ],
  [
    'alter table app.patients rename constraint patients_email to patients_one_email',
    'alter table app.patients rename constraint patients_one_email to patients_email',
    ['dropped constraint patients_email on app.patients', 'added constraint patients_one_email on app.patients'],
  ],
  [
    'alter table app.events add foreign key (id) references app.patients (id)',
    'alter table app.events drop constraint events_id_fkey',
    'added constraint events_id_fkey on app.events',
  ],
];

export const indexes: readonly Row[] = [
  ['create index on app.patients (born)', 'drop index app.patients_born_idx', 'added index patients_born_idx on app.patients'],
  ...[
    'at) where body is null',
    'at desc) where body is not null',
    'at) include (pages) where body is not null',
    'at, pages) where body is not null',
  ].map((rest): Row => [
    `drop index app.documents_at; create index documents_at on app.documents (${rest}`,
    'drop index app.documents_at; create index documents_at on app.documents (at) where body is not null',
    'changed index documents_at on app.documents',
  ]),
  ...['using hash (lower(body))', '(lower(body) text_pattern_ops)', '(upper(body))'].map((rest): Row => [
    `drop index app.documents_lower; create index documents_lower on app.documents ${rest}`,
    'drop index app.documents_lower; create index documents_lower on app.documents (lower(body))',
    'changed index documents_lower on app.documents',
  ]),
  [
    `update pg_index set indisvalid = false where indexrelid = 'app.documents_at'::regclass`,
    `update pg_index set indisvalid = true where indexrelid = 'app.documents_at'::regclass`,
    'changed index documents_at on app.documents',
  ],
  [
    'alter index app.documents_lower alter column 1 set statistics 500',
    'alter index app.documents_lower alter column 1 set statistics -1',
    'changed index documents_lower on app.documents',
  ],
  ['create index on only app.events (id)', 'drop index app.events_id_idx', 'added index events_id_idx on app.events'],
  ['create index on app.events_1 (at desc)', 'drop index app.events_1_at_idx1', 'added index events_1_at_idx1 on app.events_1'],
  ['create statistics app.more on patient_id, at from app.documents', 'drop statistics app.more', 'added statistics app.more'],
  ['alter statistics app.related set statistics 50', 'alter statistics app.related set statistics -1', 'changed statistics app.related'],
];
