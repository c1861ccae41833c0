// Only for the demo: goes on until four processes boot (15 s at most), and then takes as long as real work on a large table would, so that
// the waiting of the others can be seen on slow machines too.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.raw(`
    do $$ begin
      for poll in 1 .. 150 loop
        exit when 4 <= (select count(distinct pid) from pg_stat_activity
                        where datname = current_database() and application_name like 'ensure-migrated/notes-%' and backend_type = 'client backend');
        perform pg_stat_clear_snapshot(), pg_sleep(0.1);
      end loop;
    end $$`);
  await knex.raw('select pg_sleep(2)');
}

export async function down() {}
