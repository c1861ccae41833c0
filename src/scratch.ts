import { createHash, randomBytes } from 'node:crypto';
import type { Call } from './call.js';
import type { Connect } from './config/index.js';
import { isMigrationError, messageOf, MigrationError } from './errors.js';
import { atDatabase, type Session, type Wire } from './session/index.js';
import { identifier, literal } from './sql.js';

/** 'emsc' as an integer: the first key of the locks of those who use a scratch database. Not the one of migration locks. */
const scratchNamespace = 0x656d7363;

/** An empty database of our own on the server of the session. Dropped when it is disposed, whoever is connected to it. */
export interface Scratch extends AsyncDisposable {
  readonly name: string;
  /** As `connection`, or `directConnection` where it is given, but to this database. */
  readonly connection: Connect;
}

export interface ScratchRequest {
  readonly call: Call;
  /** With the database that the scratch is to be like. It is asked for its role; the scratch has a connection of its own. */
  readonly session: Session;
}

/** Makes a scratch database, works with it and drops it, also when the work throws or is told to stop. See {@link openScratch}. */
export async function withScratch<T>(request: ScratchRequest, work: (scratch: Scratch) => Promise<T>): Promise<T> {
  await using scratch = await openScratch(request);
  return await work(scratch);
}

/**
 * Makes a scratch database: empty, from template0, with the encoding, the locale and the settings of the session's database, owned by the
 * session's role. Holds one connection for as long as it lives, with an advisory lock that says that somebody uses it. First drops what
 * killed processes have left behind. Throws EM_SCRATCH_UNAVAILABLE where the role may not make databases, where only a pooler leads to the
 * server, and for whatever else the server says against it.
 *
 * An operator finds those in use, and by whom, with:
 *   select a.* from pg_locks l join pg_stat_activity a using (pid) where l.locktype = 'advisory' and l.classid = 1701671779;
 */
export async function openScratch({ call, session }: ScratchRequest): Promise<Scratch> {
  const source = call.config.directConnection ?? call.config.connection;
  const wire = await openMaker({ call, session }, source);
  try {
    const maker: Maker = { call, wire, model: await readModel(wire, session) };
    await sweep(maker);
    const name = await make(maker);
    return {
      name,
      connection: atDatabase(source, name),
      [Symbol.asyncDispose]: async () => {
        await drop(maker, name);
        await wire.close();
      },
    };
  } catch (error) {
    await wire.close();
    call.stop.throwIfAborted();
    throw isMigrationError(error) ? error : unavailable('the server did not let a scratch database be made', error);
  }
}

async function openMaker({ call, session }: ScratchRequest, source: Connect): Promise<Wire> {
  try {
    return await session.openSecond(source, '/scratch');
  } catch (error) {
    call.stop.throwIfAborted();
    throw unavailable('no connection could be opened to make a scratch database', error);
  }
}

interface Maker {
  readonly call: Call;
  readonly wire: Wire;
  readonly model: Model;
}

/** The database that is imitated, and who imitates it. */
interface Model {
  readonly oid: string;
  readonly pid: number;
  readonly serverVersion: number;
  readonly user: string;
  /** The role that the session has taken, which is to own the scratch. */
  readonly owner: string;
  readonly mayMake: boolean;
  readonly encoding: string;
  readonly collate: string;
  readonly ctype: string;
  /** Since PostgreSQL 15: c, i, and b since 17. */
  readonly provider: 'c' | 'i' | 'b' | null;
  readonly locale: string | null;
  readonly rules: string | null;
  /** Names of the settings that the database, or the role in it, has and that every role may set. */
  readonly settings: readonly string[];
}

// to_jsonb, since each of its columns came, or was renamed, with another version. The attribute CREATEDB is not inherited.
const modelSql = `select d.oid::text as oid, pg_catalog.pg_backend_pid() as pid,
    pg_catalog.current_setting('server_version_num')::int as "serverVersion", session_user as user, $1::text as owner,
    (select rolcreatedb or rolsuper from pg_catalog.pg_roles where rolname = session_user) and pg_catalog.pg_has_role($1, 'usage') as "mayMake",
    pg_catalog.pg_encoding_to_char(d.encoding) as encoding, d.datcollate::text as collate, d.datctype::text as ctype,
    pg_catalog.to_jsonb(d) ->> 'datlocprovider'::text as provider, pg_catalog.to_jsonb(d) ->> 'daticurules'::text as rules,
    coalesce(pg_catalog.to_jsonb(d) ->> 'datlocale'::text, pg_catalog.to_jsonb(d) ->> 'daticulocale'::text) as locale,
    array(
      select distinct given from pg_catalog.pg_db_role_setting s, pg_catalog.unnest(s.setconfig) as pair, pg_catalog.split_part(pair, '=', 1) as given
      where s.setdatabase = d.oid and s.setrole in (0, (select oid from pg_catalog.pg_roles where rolname = session_user))
        and coalesce((select context from pg_catalog.pg_settings where name = given) = 'user', given like '%.%')
    ) as settings
  from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()`;

async function readModel(wire: Wire, session: Session): Promise<Model> {
  // It is idle while the scratch is in use, and must not lose the lock for that.
  await wire.send(
    `select pg_catalog.set_config('idle_session_timeout', '0', false), pg_catalog.set_config('statement_timeout', '0', false)`,
  );
  const [{ role } = { role: '' }] = await session.query<{ role: string }>('select current_user as role');
  const { results } = await wire.send({ text: modelSql, values: [role] });
  const model = results[0]?.rows[0] as Model;
  if (model.pid !== wire.processId) throw pooled();
  if (!model.mayMake) throw mayNot(model);
  return model;
}

/**
 * Nobody can connect to it before its comment says what it is: a maker that is killed meanwhile leaves a database that is empty for sure.
 * The name tells from which database it was made, since a lock is one of the database in which it was taken.
 */
async function make(maker: Maker): Promise<string> {
  const { call, wire, model } = maker;
  const name = `${prefixOf(model)}${call.id.replaceAll('-', '').slice(0, 12)}_${randomBytes(3).toString('hex')}`;
  if (!(await tryLock(wire, name))) return await make(maker); // another name has the same number
  const quoted = identifier(name);
  await wire.send(
    `create database ${quoted} template template0 owner ${identifier(model.owner)} ${localeOf(model)} allow_connections false`,
  );
  try {
    await wire.send(
      [
        ...model.settings.map((setting) => `alter database ${quoted} set ${settingName(setting)} from current;`),
        `comment on database ${quoted} is ${literal(mark)};`,
        `alter database ${quoted} allow_connections true;`,
      ].join('\n'),
    );
    return name;
  } catch (error) {
    await drop(maker, name);
    throw error;
  }
}

const mark = 'A scratch database of ensure-migrated. The process that made it drops it, or else the next one.';

function prefixOf({ oid }: Model): string {
  return `em_s_${oid}_`;
}

const providers = { c: 'libc', i: 'icu', b: 'builtin' };

function localeOf({ serverVersion, encoding, collate, ctype, provider, locale, rules }: Model): string {
  const clauses = [`encoding ${literal(encoding)}`, `lc_collate ${literal(collate)}`, `lc_ctype ${literal(ctype)}`];
  if (serverVersion < 150000 || provider === null) return clauses.join(' ');
  if (provider !== 'c') clauses.push(`${providers[provider]}_locale ${literal(locale)}`);
  if (rules !== null) clauses.push(`icu_rules ${literal(rules)}`);
  return [...clauses, `locale_provider ${providers[provider]}`].join(' ');
}

// `app.tenant` is two identifiers here.
function settingName(name: string): string {
  return name.split('.').map(identifier).join('.');
}

/**
 * Drops what nobody uses any more: databases of our name, made from this one, with our mark (or to which nobody could ever connect), of
 * which the lock can be taken. That tells it for sure, where a pid or a time would have to be guessed at.
 */
async function sweep(maker: Maker): Promise<void> {
  const { results } = await maker.wire.send({
    text: `select datname as name from pg_catalog.pg_database
      where datname ~ ('^' || $1 || '[0-9a-f]{12}_[0-9a-f]{6}$') and pg_catalog.pg_has_role(datdba, 'usage')
        and coalesce(pg_catalog.shobj_description(oid, 'pg_database'), case when not datallowconn then $2 end) = $2`,
    values: [prefixOf(maker.model), mark],
  });
  for (const { name } of (results[0]?.rows ?? []) as { name: string }[]) {
    if (!(await tryLock(maker.wire, name))) continue;
    await drop(maker, name);
    await maker.wire.send(`select pg_catalog.pg_advisory_unlock(${scratchNamespace}, ${lockNumber(name)})`);
  }
}

async function tryLock(wire: Wire, name: string): Promise<boolean> {
  const { results } = await wire.send(`select pg_catalog.pg_try_advisory_lock(${scratchNamespace}, ${lockNumber(name)}) as taken`);
  return (results[0]?.rows[0] as { taken: boolean }).taken;
}

function lockNumber(name: string): number {
  return createHash('sha256').update(name).digest().readInt32BE(0);
}

// Never throws: what is left is dropped by the next one, and must not hide how the work ended.
async function drop({ call, wire }: Maker, name: string): Promise<void> {
  try {
    await wire.send(`drop database if exists ${identifier(name)} with (force)`);
  } catch (error) {
    call.report.warn('scratch.left', { database: name, reason: messageOf(error) });
  }
}

function unavailable(what: string, cause: unknown): MigrationError {
  return new MigrationError('EM_SCRATCH_UNAVAILABLE', `${what}: ${messageOf(cause)}`, { cause });
}

function mayNot({ user, owner }: Model): MigrationError {
  const grants = [
    `alter role ${identifier(user)} createdb;`,
    ...(owner === user ? [] : [`grant ${identifier(owner)} to ${identifier(user)};`]),
  ];
  return new MigrationError('EM_SCRATCH_UNAVAILABLE', `a scratch database is needed, and the role ${identifier(user)} may not make one`, {
    remedy: `Let a superuser run: ${grants.join(' ')} Or connect with a role that may make databases.`,
  });
}

// Its server connection, and the lock with it, may be anybody's a moment later, and it knows only databases of its own configuration.
function pooled(): MigrationError {
  return new MigrationError('EM_SCRATCH_UNAVAILABLE', 'a scratch database cannot be made through a connection pooler', {
    remedy: 'Give `directConnection` (ENSURE_MIGRATED_DIRECT_URL), a connection that goes around the pooler.',
  });
}
