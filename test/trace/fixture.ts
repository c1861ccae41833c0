import type { TracedStatement } from '../../src/trace/index.js';

/** What the statements of these tests find. */
export const schema = `
  create table customers (id int primary key, email text, code varchar(10), score numeric(6,2), at timestamp, old_id int not null);
  create index customers_code_idx on customers (code);
  create table orders (id int, customer int, total int, note text);
  create index orders_total_idx on orders (total);
  create table events (id int, at date) partition by range (at);
  create table events_20 partition of events for values from ('2020-01-01') to ('2021-01-01');
  create table events_21 (id int, at date);
  create table events_rest partition of events default;
  create index events_at_idx on events (at);
  create table visits (id int, at date);
  create materialized view totals as select customer from orders;
  create unique index totals_idx on totals (customer);
  create view emails as select email from customers;
  create function answer() returns int language plpgsql as 'begin return 42; end';
  create function fixed() returns int language plpgsql immutable as 'begin return 42; end';
  create domain positive as int;
  create table prices (amount positive);
`;

const short: Readonly<Record<string, string>> = {
  'ACCESS SHARE': 'AS',
  'ROW SHARE': 'RS',
  'ROW EXCLUSIVE': 'RX',
  'SHARE UPDATE EXCLUSIVE': 'SUE',
  SHARE: 'S',
  'SHARE ROW EXCLUSIVE': 'SRE',
  EXCLUSIVE: 'EX',
  'ACCESS EXCLUSIVE': 'AX',
};

/** What a statement did, in one line: `AX orders, +scan orders, +index orders_total_idx`. */
export function shortly({ locks, rewritten, scanned, indexesBuilt, error }: TracedStatement): string {
  if (error) return `fails ${error.code}`;
  const words = [
    ...locks.map(({ table, mode, index }) => `${short[mode]} ${index ?? table}`),
    ...rewritten.map((name) => `+rewrite ${name}`),
    ...scanned.map((name) => `+scan ${name}`),
    ...indexesBuilt.map((name) => `+index ${name}`),
  ];
  return words.join(', ').replaceAll('public.', '');
}
