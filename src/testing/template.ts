import { createHash } from 'node:crypto';
import { ensureMigrated } from '../ensure.js';
import { readOwnPackage } from '../own-package.js';
import { identifier, literal } from '../sql.js';
import { openKnex } from './test-knex.js';
import type { Desk } from './desk.js';
import { readDress, type Dress } from './dress.js';
import { dropTemplate } from './drop.js';
import { withLink } from './link.js';
import { databaseName, lockNumber, lockSpaces, mark, templateName } from './names.js';
import { prepareEmpty, type Project } from './project.js';
import type { ReadSeed } from './seed.js';
import type { Migration } from '../source/index.js';
import { pruneTemplates } from './sweep.js';

/** A sealed database at head, with the seed in it: nobody can connect to it, and everybody can copy it. */
export interface Template {
  readonly name: string;
  readonly dress: Dress;
  readonly migrationCount: number;
  /** How long it took to build; undefined where one was there. */
  readonly buildMs: number | undefined;
}

export interface TemplateRequest {
  readonly desk: Desk;
  readonly project: Project;
  readonly seed: ReadSeed | undefined;
  /** Whatever else the template depends on. */
  readonly key: string;
  readonly tell: (event: string) => void;
}

/**
 * The template for these migrations and this seed: the one that is there, or a new one. Whoever builds it holds an advisory lock, and the
 * others wait for it; a rename publishes it whole, so that a build that is killed leaves nothing that could be taken for one. Holds
 * another lock, shared, for as long as the desk is open: a template in use is not dropped. An operator finds both with:
 *   select * from pg_locks where locktype = 'advisory' and classid in (1701672034, 1701672053);
 */
export async function prepareTemplate(request: TemplateRequest): Promise<Template> {
  const { link, facts } = request.desk;
  const migrations = await request.project.list();
  const name = templateName(facts.oid, await hashOf(request, migrations));
  const number = lockNumber(name);
  let buildMs: number | undefined;
  await link.query(`select pg_catalog.pg_advisory_lock(${lockSpaces.build}, ${number})`);
  try {
    await link.query(`select pg_catalog.pg_advisory_lock_shared(${lockSpaces.use}, ${number})`);
    if (await isThere(request.desk, name)) await link.query(comment(name));
    else buildMs = await build(request, name);
  } finally {
    await link.query(`select pg_catalog.pg_advisory_unlock(${lockSpaces.build}, ${number})`);
  }
  await pruneTemplates(request.desk);
  return { name, dress: await readDress(link, name), migrationCount: migrations.length, buildMs };
}

async function isThere({ link }: Desk, name: string): Promise<boolean> {
  const sql = `select from pg_catalog.pg_database where datname = $1 and pg_catalog.shobj_description(oid, 'pg_database') like $2 || '%'`;
  return (await link.query(sql, [name, mark])).length > 0;
}

function comment(name: string): string {
  return `comment on database ${identifier(name)} is ${literal(`${mark}: a template, last used ${new Date().toISOString()}`)}`;
}

async function build(request: TemplateRequest, name: string): Promise<number> {
  const begunAt = performance.now();
  const { desk, tell } = request;
  const draft = databaseName('b', desk.facts.oid, desk.run);
  tell('template.building');
  await makeEmpty(desk, draft);
  try {
    await fill(request, desk.urlOf(draft));
    tell('template.sealing');
    await desk.link.query(`alter database ${identifier(draft)} with allow_connections false is_template true`);
    await desk.link.query(comment(draft));
    await desk.link.query(`alter database ${identifier(draft)} rename to ${identifier(name)}`);
  } catch (error) {
    await dropTemplate(desk, draft).catch(() => undefined); // the sweep takes it
    throw error;
  }
  tell('template.ready');
  return performance.now() - begunAt;
}

/** An empty database from template0, with the locale of the desk's own. Nobody can connect to it before it is marked as ours. */
export async function makeEmpty({ link }: Desk, name: string): Promise<void> {
  const quoted = identifier(name);
  await link.query(`create database ${quoted} template template0 allow_connections false`);
  await link.query(`comment on database ${quoted} is ${literal(mark)}; alter database ${quoted} allow_connections true`);
}

async function fill({ project, seed, tell }: TemplateRequest, url: string): Promise<void> {
  await prepareEmpty(project, url);
  await ensureMigrated(await project.optionsOf(url));
  tell('template.migrated');
  await seed?.run(url, () => openKnex(url, project.config.knex));
  await withLink(url, async (link) => await link.query('analyze'));
}

// All that may change what stands in the template. Migrations of which nothing can be known are built anew by each run.
async function hashOf({ desk, project, seed, key }: TemplateRequest, listed: readonly Migration[]): Promise<string> {
  const { migrations, transaction } = project.config;
  const { tableName, schemaName, disableTransactions } = migrations;
  const extensions = await desk.link.query('select name, default_version from pg_catalog.pg_available_extensions order by name');
  const parts = [
    desk.facts.serverVersion,
    desk.facts.user, // owns what is in it: another role could not read a copy
    readOwnPackage().version,
    listed.map(({ name, checksum }) => [name, checksum ?? desk.run]),
    [tableName, schemaName, disableTransactions, transaction],
    extensions,
    seed?.identity,
    key,
  ];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
