import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ensureMigrated, type Options } from '../../src/index.js';
import { makeDirectory } from '../support/directories.js';
import { startProxy } from '../support/proxy.js';
import { createDatabase } from '../support/servers.js';

const moduleOf = (statement: string) =>
  `export const up = async (knex) => await knex.raw('${statement}');\nexport const down = async () => undefined;\n`;

/** A database in which boots apply migrations of one statement each. */
async function makePlace() {
  const database = await createDatabase();
  const role = await database.createRole('connection limit 1'); // nobody watches: each message that is counted is one of the migrating session
  await database.query(`grant create on schema public to ${role.name}`);
  const proxy = await startProxy(database.url);
  const migrations = await makeDirectory({ 'package.json': '{ "type": "module" }' });
  let written = 0;
  return async (count: number, extension: '.js' | '.sql', transaction: Options['transaction']): Promise<number> => {
    for (let left = count; left > 0; left--) {
      const name = `m${String(++written).padStart(3, '0')}`;
      const statement = `create table ${name} (id int)`;
      await writeFile(path.join(migrations, `${name}${extension}`), extension === '.js' ? moduleOf(statement) : statement);
    }
    proxy.reset();
    const outcome = await ensureMigrated({ connection: proxy.urlOf(role.url), migrations, logger: false, transaction });
    expect(outcome.applied).toHaveLength(count);
    return proxy.counts().roundTrips;
  };
}

test('a migration of one statement more is two round trips more, one where it is a script or has no transaction of its own', async () => {
  const apply = await makePlace();
  await apply(1, '.js', 'each'); // the tables of the history are there from now on
  const more = async (extension: '.js' | '.sql', transaction: 'each' | 'all') => {
    const [few, many] = [await apply(2, extension, transaction), await apply(6, extension, transaction)];
    return (many - few) / 4;
  };
  expect({
    'a module each': await more('.js', 'each'),
    'a script each': await more('.sql', 'each'),
    'modules together': await more('.js', 'all'),
    'scripts together': await more('.sql', 'all'),
  }).toEqual({ 'a module each': 2, 'a script each': 1, 'modules together': 1, 'scripts together': 1 });
});
