import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { makeDirectory } from './support/directories.js';
import { root } from './support/majors.js';
import { createDatabase } from './support/servers.js';
import { replayPage } from './support/transcript.js';

const environment: NodeJS.ProcessEnv = { ...process.env };

const knexProject = {
  'package.json': '{ "name": "shop", "version": "1.4.0", "type": "module" }\n',
  'knexfile.js': `export default {
  client: 'pg',
  connection: process.env.DATABASE_URL,
};
`,
  'migrations/20251201090000_orders.js': `export const up = (knex) => knex.schema.createTable('orders', (t) => t.bigIncrements());
export const down = (knex) => knex.schema.dropTable('orders');
`,
  'migrations/20251215090000_order_total.js': `export const up = (knex) => knex.schema.alterTable('orders', (t) => t.bigInteger('total_cents'));
export const down = (knex) => knex.schema.alterTable('orders', (t) => t.dropColumn('total_cents'));
`,
};

test('docs/from-knex.md says what happens now (UPDATE_DOCS=1 writes it anew)', async () => {
  const database = await createDatabase();
  const cwd = await makeDirectory(knexProject);
  await expectPage('docs/from-knex.md', { cwd, env: { DATABASE_URL: database.url } });
});

async function expectPage(name: string, place: Parameters<typeof replayPage>[1]): Promise<void> {
  const { before, now } = await replayPage(name, place);
  if (environment['UPDATE_DOCS']) writeFileSync(path.join(root, name), now);
  else expect(now).toBe(before);
}
