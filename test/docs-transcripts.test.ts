import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { describeWithClientTools, dumpableMajor } from './support/client-tools.js';
import { makeDirectory, makeInstalled } from './support/directories.js';
import { root } from './support/majors.js';
import { readPage } from './support/markdown.js';
import { createDatabase } from './support/servers.js';
import { replayPage } from './support/transcript.js';

const environment: NodeJS.ProcessEnv = { ...process.env };

test('docs/start-here.md says what happens now (UPDATE_DOCS=1 writes it anew)', async () => {
  const database = await createDatabase();
  const cwd = await makeInstalled({ 'package.json': '{ "name": "clinic", "version": "1.0.0", "type": "module" }\n' });
  await expectPage('docs/start-here.md', { cwd, env: { ...packageEnv('clinic', '1.0.0'), DATABASE_URL: database.url } });
});

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
  await expectPage('docs/from-knex.md', { cwd, env: { ...packageEnv('shop', '1.4.0'), DATABASE_URL: database.url } });
});

const prismaProject = {
  'package.json': '{ "name": "shop", "version": "3.0.0", "type": "module" }\n',
  'migrations/20260105093000_init.sql': 'create table "User" (id bigint generated always as identity primary key, email text not null);\n',
  'migrations/20260112093000_email.sql': 'create unique index "User_email_key" on "User" (email);\n',
  'migrations/20260119093000_names.sql': 'alter table "User" add column name text;\n',
};

test('docs/from-others.md says what happens now (UPDATE_DOCS=1 writes it anew)', async () => {
  const database = await createDatabase();
  const [, history = ''] = /\$ cat prisma-history\.sql\n([^$]+)/.exec(consoleOf('docs/from-others.md')) ?? [];
  await database.query(history);
  const cwd = await makeDirectory({ ...prismaProject, 'prisma-history.sql': history });
  await expectPage('docs/from-others.md', { cwd, env: { ...packageEnv('shop', '3.0.0'), DATABASE_URL: database.url } });
});

function consoleOf(name: string): string {
  return readPage(name).snippets.find(({ language }) => language === 'console')?.text ?? '';
}

// As npx gives them.
function packageEnv(name: string, version: string): Record<string, string> {
  return { npm_package_name: name, npm_package_version: version };
}

const alembicProject = {
  'package.json': '{ "name": "clinic", "version": "2.1.0", "type": "module" }\n',
  'migrations/.gitkeep': '',
};

describeWithClientTools('with the client tools', () => {
  test('docs/from-alembic.md says what happens now (UPDATE_DOCS=1 writes it anew)', async () => {
    const [database, other] = [await createDatabase({ major: dumpableMajor }), await createDatabase({ major: dumpableMajor })];
    await database.query(readPage('docs/from-alembic.md').snippets.find(({ language }) => language === 'sql')?.text ?? '');
    const cwd = await makeDirectory(alembicProject);
    await expectPage('docs/from-alembic.md', {
      cwd,
      env: { ...packageEnv('clinic', '2.1.0'), DATABASE_URL: database.url, OTHER_DATABASE_URL: other.url },
    });
  });
});

async function expectPage(name: string, place: Parameters<typeof replayPage>[1]): Promise<void> {
  const { before, now } = await replayPage(name, place);
  if (environment['UPDATE_DOCS']) writeFileSync(path.join(root, name), now);
  else expect(withoutWidths(now)).toBe(withoutWidths(before));
}

// A column is as wide as its longest number of milliseconds, and a name is cut off where that leaves it no room.
function withoutWidths(page: string): string {
  return page.replace(/\w+\.{3}(?= )/g, '...').replace(/ {2,}\d* */g, '  ');
}
