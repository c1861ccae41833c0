import { functionsIn } from '../actions/index.js';
import type { Catalog } from '../catalog/index.js';

const knownVolatile =
  /^(random(_normal)?|gen_random_uuid|uuid_generate_v[14]|uuid_generate_v1mc|uuidv[47]|clock_timestamp|timeofday|nextval|setval|currval|lastval|txid_current|pg_current_xact_id)$/;
const knownStable =
  /^(now|transaction_timestamp|statement_timestamp|current_\w+|lower|upper|coalesce|concat|to_char|to_timestamp|date_trunc|jsonb?_build_(object|array)|make_\w+|md5|length)$/;

/**
 * Whether an expression has to be computed for each row. `unknown`: it calls a function of which only a database could tell. A function that has several
 * forms counts as volatile when one of them is.
 */
export function volatilityOf(expression: unknown, catalog: Catalog): 'volatile' | 'fixed' | 'unknown' {
  const judged = functionsIn(expression).map((called) => {
    const { name } = called;
    const forms = catalog.formsOf(called);
    if (forms.length > 0) return forms.some(({ volatility }) => volatility === 'v') ? 'volatile' : 'fixed';
    if (knownVolatile.test(name)) return 'volatile';
    return knownStable.test(name) ? 'fixed' : 'unknown';
  });
  return judged.includes('volatile') ? 'volatile' : judged.includes('unknown') ? 'unknown' : 'fixed';
}
