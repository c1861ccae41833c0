import { identifier, literal } from '../sql.js';
import type { Link } from './link.js';

/** What belongs to a database and is not copied with it: ALTER DATABASE ... SET, and rights on the database itself. */
export interface Dress {
  readonly settings: readonly { readonly role: string | null; readonly pair: string }[];
  /** Undefined: the rights that every new database has. */
  readonly grants: readonly { readonly grantee: string | null; readonly privilege: string; readonly grantable: boolean }[] | null;
}

const dressSql = `select
    (select coalesce(json_agg(json_build_object('role', r.rolname, 'pair', pair)), '[]') from pg_catalog.pg_db_role_setting s
       cross join pg_catalog.unnest(s.setconfig) as pair left join pg_catalog.pg_roles r on r.oid = s.setrole where s.setdatabase = d.oid) as settings,
    case when d.datacl is not null then (select coalesce(json_agg(json_build_object('grantee', g.rolname, 'privilege', a.privilege_type,
       'grantable', a.is_grantable)), '[]') from pg_catalog.aclexplode(d.datacl) a left join pg_catalog.pg_roles g on g.oid = a.grantee) end as grants
  from pg_catalog.pg_database d where d.datname = $1`;

/** Reads it, from any database of the server. */
export async function readDress(link: Link, name: string): Promise<Dress> {
  const [dress] = await link.query<Dress>(dressSql, [name]);
  return dress ?? { settings: [], grants: null };
}

/** The statements that put it on another database. */
export function renderDress({ settings, grants }: Dress, database: string): string[] {
  const name = identifier(database);
  return [
    ...settings.map(({ role, pair }) => {
      const who = role === null ? `database ${name}` : `role ${identifier(role)} in database ${name}`;
      return `alter ${who} set ${renderPair(pair)};`;
    }),
    ...(grants === null ? [] : [`revoke all on database ${name} from public;`]),
    ...(grants ?? []).map(({ grantee, privilege, grantable }) => {
      const to = grantee === null ? 'public' : identifier(grantee);
      return `grant ${privilege} on database ${name} to ${to}${grantable ? ' with grant option' : ''};`;
    }),
  ];
}

// The server keeps these as lists of quoted names; as one literal they would become one name.
const lists: ReadonlySet<string> = new Set(['search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries']);

function renderPair(pair: string): string {
  const at = pair.indexOf('=');
  const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
  const quoted = name.split('.').map(identifier).join('.');
  return `${quoted} to ${lists.has(name) && value !== '""' && value !== '' ? value : literal(value === '""' ? '' : value)}`;
}
