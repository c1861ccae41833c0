import type { ActionOf, Name } from './actions/index.js';
import type { Catalog } from './catalog/index.js';

/**
 * Whether code in the database may do anything. A function may where it is volatile and not one of PostgreSQL's own; also one that the same
 * migration makes, since its body is not read. Without a database every function may that is not known here.
 */
export function isOpaque({ why, name }: ActionOf<'opaque'>, catalog: Catalog): boolean {
  if (why !== 'function') return true;
  const { schema, name: last } = nameIn(name);
  if (schema === 'pg_catalog' || harmless.test(last)) return false;
  const forms = catalog.formsOf(nameIn(name));
  if (forms.some((each) => each.schema === 'pg_catalog')) return false;
  if (forms.some(({ volatility }) => volatility === 'v') || isBornFunction(name, catalog)) return true;
  return !catalog.connected && (schema !== undefined || !builtIn.test(last));
}

/** Whether the linted statements make the function; its name may have its schema before it. */
export function isBornFunction(name: string, catalog: Catalog): boolean {
  return catalog.isBorn('function', nameIn(name));
}

function nameIn(text: string): Name {
  const [name = '', schema] = text.split('.').reverse();
  return schema === undefined ? { name } : { schema, name };
}

// Volatile, of extensions that many have, and without a trace.
const harmless = /^(uuid_generate_\w+|gen_salt|gen_random_bytes)$/;

// Those of PostgreSQL's own that migrations call.
const builtIn =
  /^(pg_\w+|setval|nextval|currval|lastval|set_config|current_\w+|version|now|random|\w+_timestamp|gen_random_uuid|to_\w+|format\w*|has_\w+_privilege|count|sum|avg|min|max|bool_(and|or)|every|(array|jsonb?|string)_\w+|unnest|generate_(series|subscripts)|lower|upper|length|quote_\w+|row_number|concat\w*|replace|substring|[lrb]?trim|split_part|regexp_\w+|md5|date_\w+|make_\w+|extract|abs|round|greatest|least|row_to_json|obj_description|col_description)$/;
