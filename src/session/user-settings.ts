import type { Knex } from 'knex';
import type pg from 'pg';
import type { Config } from '../config/index.js';
import { identifier } from '../sql.js';
import type { Setting } from './settings.js';
import type { Wire } from './wire.js';

type AfterCreate = (client: pg.Client, done: (error?: Error) => void) => void;

/** What the user has set for the session: the option beats what an existing project sets on each connection of its pool, which also holds for its migrations. */
export async function userSettings(wire: Wire, { knex, searchPath }: Pick<Config, 'knex' | 'searchPath'>): Promise<Setting[]> {
  const settings = await settingsOf(wire, knex);
  if (searchPath === undefined) return settings;
  return [...settings.filter(([name]) => name !== 'search_path'), pathSetting(searchPath)];
}

const pathSetting = (schemas: readonly string[]): Setting => ['search_path', schemas.map(identifier).join(', ')];

async function settingsOf(wire: Wire, knex: Knex | undefined): Promise<Setting[]> {
  const config = knex?.client as { config?: { searchPath?: string | string[]; pool?: { afterCreate?: AfterCreate } } } | undefined;
  const settings: Setting[] = [];
  const { searchPath, pool } = config?.config ?? {};
  if (searchPath) settings.push(pathSetting([searchPath].flat()));
  const afterCreate = pool?.afterCreate;
  if (!afterCreate) return settings;
  await new Promise<void>((resolve, reject) => afterCreate(wire.client, (error) => (error ? reject(error) : resolve())));
  const { results } = await wire.send(`select name, setting from pg_catalog.pg_settings where source = 'session'`);
  const rows = (results[0]?.rows ?? []) as { name: string; setting: string }[];
  return [...settings, ...rows.map(({ name, setting }): Setting => [name, setting])];
}
