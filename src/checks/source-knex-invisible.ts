import { placeOf, type BuiltInCheck } from './check.js';

const invisible = /\.(mjs|mts|cts)$/;

/** Does knex's own command line see the same files? By default it passes over .mjs, .mts and .cts, and then misses them in the directory. */
export const sourceKnexInvisible: BuiltInCheck = {
  rule: 'source-knex-invisible',
  find({ pending, call }) {
    if (call.config.migrations.loadExtensions !== undefined) return []; // knex reads the same list
    return pending
      .filter(({ name, file }) => file !== undefined && invisible.test(name))
      .map((migration) => {
        const message = `knex's own command line does not see ${migration.name}; once it is applied, knex says that the directory is corrupt`;
        const remedy = `Rename it to .js or .ts, or set loadExtensions for both, or pass it over: rules: { 'source-knex-invisible': 'off' }.`;
        return { message, remedy, at: placeOf(migration), names: [migration.name] };
      });
  },
};
