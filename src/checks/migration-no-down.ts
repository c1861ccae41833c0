import { placeOf, type BuiltInCheck } from './check.js';

/** Can every pending migration be taken back? */
export const migrationNoDown: BuiltInCheck = {
  rule: 'migration-no-down',
  find({ pending }) {
    return pending
      .filter(({ down }) => down === undefined)
      .map((migration) => ({ ...words(migration.name), at: placeOf(migration), names: [migration.name] }));
  },
};

function words(name: string): { message: string; remedy: string } {
  if (name.endsWith('.up.sql')) {
    return { message: `${name} has no down: it cannot be taken back`, remedy: `Add ${name.replace(/\.up\.sql$/, '.down.sql')} beside it.` };
  }
  if (name.endsWith('.sql')) {
    const base = name.replace(/\.sql$/, '');
    return { message: `${name} has no down: it cannot be taken back`, remedy: `Rename it to ${base}.up.sql and add ${base}.down.sql.` };
  }
  const message = `${name} has no down: it cannot be taken back, and knex's own command line refuses it`;
  return { message, remedy: 'Export a function down from it.' };
}
