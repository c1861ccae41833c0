import { ensureMigrated, isMigrationError, type MigrationError, type Options, type Outcome } from '../../src/index.js';
import { identifier } from '../../src/sql.js';
import { makeMigrations } from '../support/migrations.js';
import type { TestDatabase } from '../support/servers.js';

/** Three migrations, each of which names no schema; each writes its name into the table `ran` of the tenant. */
export const three = {
  '01_notes': 'create table notes (id int generated always as identity primary key, title text)',
  '02_author': 'alter table notes add column author text',
  '03_index': 'create index notes_author on notes (author)',
};
export const names = ['01_notes.js', '02_author.js', '03_index.js'];

export async function directoryOf(count = 3): Promise<string> {
  return await makeMigrations(Object.fromEntries(Object.entries(three).slice(0, count)));
}

export interface Scene {
  readonly database: TestDatabase;
  readonly directory: string;
}

export async function createSchemas(database: TestDatabase, tenants: readonly string[]): Promise<void> {
  await database.query(tenants.map((name) => `create schema ${identifier(name)}`).join('; '));
}

export type TenantOptions = Omit<Options, 'tenants'> & { readonly tenants?: Partial<NonNullable<Options['tenants']>> | undefined };

/** Boots all of them in this process; silent. */
export async function bootTenants(
  { database, directory }: Scene,
  schemas: readonly string[],
  options: TenantOptions = {},
): Promise<Outcome> {
  const { tenants, ...rest } = options;
  return await ensureMigrated({
    connection: database.url,
    migrations: directory,
    logger: false,
    tenants: { schemas, ...tenants },
    ...rest,
  });
}

export async function failTenants(scene: Scene, schemas: readonly string[], options: TenantOptions = {}): Promise<MigrationError> {
  const error: unknown = await bootTenants(scene, schemas, options).catch((thrown: unknown) => thrown);
  if (!isMigrationError(error)) throw error;
  return error;
}

/** What has run in a tenant, in order; undefined where there is no history. */
export async function ranIn(database: TestDatabase, tenant: string): Promise<string[] | undefined> {
  const [there] = await database.query('select to_regclass($1) as history', [`${identifier(tenant)}.knex_migrations`]);
  if (there?.['history'] === null) return undefined;
  const at = identifier(tenant);
  const rows = await database.query(
    `select h.name, (select count(*)::int from ${at}.ran r where r.name || '.js' = h.name) as times from ${at}.knex_migrations h order by id`,
  );
  return rows.map(({ name, times }) => (times === 1 ? (name as string) : `${name} ran ${times} times`));
}

/** Everything outside of the tenants' schemas that no migration may touch. */
export async function tablesOf(database: TestDatabase, schema = 'public'): Promise<string[]> {
  const rows = await database.query(`select relname from pg_class where relnamespace = $1::regnamespace and relkind = 'r' order by 1`, [
    schema,
  ]);
  return rows.map(({ relname }) => relname as string);
}
