/**
 * One catalog's share of the statement that reads a schema: what one select says of each of its objects.
 * Every field but `catalog` is SQL. The CTEs `space` (schemas), `relation` (tables, views, sequences) and `member` are there for `from`.
 */
export interface Part {
  /** Where the object's comment and its membership in an extension are looked up. */
  readonly catalog: string;
  readonly object: string;
  /** objsubid of the comment: a column's number. `-1` is a line without one. Default 0. */
  readonly sub?: string;
  readonly kind: string;
  readonly identity: string;
  /** The identity of the object that takes this one with it when it is dropped. */
  readonly parent?: string;
  /** Null: no line of its own; only its comment and its grants are listed. */
  readonly definition: string;
  /** The object type that acldefault() knows, and the ACL with that default filled in. */
  readonly acl?: { readonly type: 'r' | 's' | 'c' | 'n' | 'f' | 'T' | 'l' | 'F' | 'S'; readonly items: string };
  readonly from: string;
  readonly where?: string;
}

/** The select of one part, without the members of extensions. */
export function renderPart({
  catalog,
  object,
  sub = '0',
  kind,
  identity,
  parent = "''",
  definition,
  acl,
  from,
  where = 'true',
}: Part): string {
  return `select 'pg_catalog.${catalog}'::pg_catalog.regclass as catalog, ${object} as object, ${sub} as sub, ${kind} as kind,
    ${identity} as identity, ${parent} as parent, ${definition} as definition,
    ${acl === undefined ? "''" : `'${acl.type}'`}::"char" as acl_type, ${acl?.items ?? 'null::pg_catalog.aclitem[]'} as acl
  from ${from}
  where (${where}) and ${notMember(catalog, object)}`;
}

/** Says that an object came with no extension. */
export function notMember(catalog: string, object: string): string {
  return `not exists (select from member where member.classid = 'pg_catalog.${catalog}'::pg_catalog.regclass and member.objid = ${object})`;
}

/** An ACL as it counts: none written down means the default of the object's type. */
export function effectiveAcl(type: NonNullable<Part['acl']>['type'], items: string, owner: string): NonNullable<Part['acl']> {
  return { type, items: `coalesce(${items}, pg_catalog.acldefault('${type}', ${owner}))` };
}

/** Options (`name=value`) in an order of ours: a dump may write them in another. Null where there are none. */
export function sortedOptions(options: string, separator = ', '): string {
  return `(select string_agg(o, '${separator}' order by o collate "C") from unnest(${options}) as o)`;
}

/** The catalogs' rows from initdb have lower numbers; those of template databases and of users start here. */
export const firstUserOid = 16384;
