/** Most of knex's schema builder, and what people write as SQL beside it. */
export const everything: Readonly<Record<string, string>> = {
  'package.json': '{ "type": "module" }',
  '01_tables.js': `
    export const up = async (knex) => {
      await knex.schema.createSchema('audit');
      await knex.schema.createTable('people', (t) => {
        t.bigIncrements('id'); t.uuid('key').notNullable().unique().defaultTo(knex.fn.uuid()); t.string('name', 80).notNullable();
        t.text('notes').comment("it's what they said; \\\\ and so on"); t.integer('age').unsigned().checkPositive(); t.decimal('score', 8, 3).defaultTo(1.5);
        t.float('ratio'); t.double('exact'); t.boolean('active').notNullable().defaultTo(true); t.date('born'); t.time('at'); t.datetime('seen');
        t.timestamp('made', { useTz: false }).defaultTo(knex.raw("'2020-01-01'")); t.binary('blob'); t.json('j'); t.jsonb('jb').defaultTo(JSON.stringify({ a: "b'c" }));
        t.enu('kind', ['a', 'b']).notNullable().defaultTo('a'); t.enu('mood', ['happy', 'sad'], { useNative: true, enumName: 'mood' });
        t.specificType('tags', 'text[]').defaultTo('{}'); t.timestamps(true, true); t.index(['name', 'age'], 'people_name_age'); t.comment('Those who are treated');
        t.check('?? <> ??', ['name', 'notes'], 'people_differ');
      });
      await knex.schema.createTable('visits', (t) => {
        t.increments(); t.bigInteger('person_id').notNullable().references('id').inTable('people').onDelete('cascade').onUpdate('restrict').index();
        t.text('why'); t.unique(['person_id', 'why'], { indexName: 'visits_once', deferrable: 'deferred' });
      });
      await knex.schema.withSchema('audit').createTable('log', (t) => { t.increments(); t.jsonb('what'); });
      await knex.schema.createTableLike('people_like', 'people');
      await knex.schema.createTable('composite', (t) => { t.integer('a'); t.integer('b'); t.primary(['a', 'b'], { constraintName: 'composite_key' }); });
    };
    export const down = async (knex) => {
      await knex.schema.dropTable('composite'); await knex.schema.dropTable('people_like'); await knex.schema.withSchema('audit').dropTable('log');
      await knex.schema.dropTable('visits'); await knex.schema.dropTable('people'); await knex.raw('drop type mood'); await knex.schema.dropSchema('audit');
    };
    export const config = { breaking: false };`,
  '02_rows.js': `
    export const up = async (knex) => {
      await knex.batchInsert('people', [{ name: "O'Neil", notes: 'a\\\\b\\n$1 :name', age: 3, jb: { x: [1, null, "'"] }, tags: ['a"b', 'c,d'] }, { name: 'é 漢', notes: null, blob: Buffer.from([0, 1, 255]), seen: new Date(Date.UTC(2021, 5, 6, 7, 8, 9, 10)) }], 1);
      await knex('visits').insert({ person_id: knex('people').min('id'), why: 'a?b' });
      await knex('people').where('name', 'like', 'O%').update({ age: knex.raw('age + ?', [1]), active: false });
      await knex.transaction(async (trx) => { await trx('visits').insert({ person_id: 2, why: 'inside' }); });
      await knex.raw('insert into audit.log (what) values (?), (:x::jsonb)'.replace(':x', '?'), [{ a: 1 }, JSON.stringify([true])]);
      await knex.raw('create table several (x int); insert into several values (1), (2); -- the end');
    };
    export const down = async (knex) => { await knex('visits').del(); await knex('people').del(); await knex.raw('delete from audit.log; drop table several'); };`,
  '03_alter.js': `
    export const up = async (knex) => {
      await knex.schema.alterTable('people', (t) => {
        t.string('name', 200).notNullable().alter(); t.renameColumn('notes', 'remarks'); t.dropColumn('ratio'); t.text('email').index('people_email');
        t.setNullable('key'); t.dropIndex(['name', 'age'], 'people_name_age'); t.dropNullable('active');
      }).catch((error) => { throw error; });
      await knex.schema.alterTable('visits', (t) => { t.dropUnique(['person_id', 'why'], 'visits_once'); t.dropForeign('person_id'); t.foreign('person_id', 'visits_person').references('people.id'); });
      await knex.schema.renameTable('people_like', 'people_copy');
      await knex.schema.createView('adults', (v) => { v.columns(['id', 'name']); v.as(knex('people').where('age', '>', 17).select('id', 'name')); });
      await knex.schema.createMaterializedView('counts', (v) => { v.columns(['n']); v.as(knex('visits').count()); });
    };
    export const down = async () => undefined;`,
  '04_code.sql': `-- breaking: false
create function stamp_it() returns trigger language plpgsql as $body$
begin
  new.remarks := coalesce(new.remarks, '') || $q$; it's $1$q$; -- not the end;
  return new;
end
$body$;
create trigger people_stamp before insert or update on people for each row execute function stamp_it();
do $$ begin if true then perform 1; end if; end $$;
create type address as (street text, city text);
create domain positive as int check (value > 0);
alter type mood add value 'tired';
select pg_catalog.setval('visits_id_seq', 100);
create function twice(n int) returns int language sql begin atomic select n * 2; end;
create rule keep as on delete to composite do instead (select 1; select 2);
set local search_path = audit;
create table in_audit (x int[]);
insert into in_audit values ('{1,2,3}');
select x[1:2] from in_audit;
`,
  '05_index.js': `
    export const up = async (knex) => {
      await knex.raw('create index concurrently people_active on people (active);');
      await knex.raw('create table one (x int); create table two (x int)');
      await knex.transaction(async (trx) => { await trx.raw('alter table one add y int'); });
      await knex('one').insert({ x: 1 });
      await knex.raw("set search_path = audit");
    };
    export const down = async (knex) => { await knex.raw('drop index concurrently people_active'); await knex.raw('drop table one; drop table two'); };
    export const config = { transaction: false };`,
  '06_script.up.sql': `-- transaction: false
create index concurrently visits_why on visits (why); -- trailing
vacuum people;
create table last (x int) -- no semicolon`,
  '06_script.down.sql': 'drop table last;\ndrop index concurrently visits_why;\n',
};
