import { join, resolve } from 'node:path';
import { resolveConfig, type Options } from '../config/index.js';
import { setUp, type Init, type InitOptions } from '../init/index.js';

/**
 * Sets a project up: writes ensure-migrated.config.js or .ts, a first migration where there is none, and gives the lines for the file in which the
 * application boots. Overwrites nothing; a second call changes nothing. Where there is a knexfile it writes nothing, since that is read as it
 * stands. Needs no database. Throws EM_CONFIG_INVALID.
 */
export async function init(options: Options, asked: InitOptions = {}): Promise<Init> {
  const isPlaced = options.migrations !== undefined || options.knex !== undefined;
  const placed = isPlaced ? options : { ...options, migrations: join(resolve(asked.directory ?? '.'), 'migrations') };
  return await setUp({ ...asked, migrations: resolveConfig({ ...placed, mode: 'off' }).migrations });
}
