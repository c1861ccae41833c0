import { readPage } from './markdown.js';
import type { Files } from './directories.js';

/** The project that docs/bundling.md shows, file by file; its two migrations are those of docs/api.md's kind. */
export function bundledProject(): Files {
  const shown = readPage('docs/bundling.md').snippets.map(({ label, text }) => [label, text] as const);
  return { 'package.json': JSON.stringify({ name: 'clinic', type: 'module', private: true }), ...migrations, ...Object.fromEntries(shown) };
}

/** The same, to be bundled into CommonJS, as the page says in words. */
export function commonJsProject(): Files {
  const files = bundledProject();
  return {
    ...files,
    'main.js': withoutTopLevelAwait(files['main.js'] ?? ''),
    'build.js': (files['build.js'] ?? '')
      .replace("format: 'esm'", "format: 'cjs'")
      .replace('dist/main.mjs', 'dist/main.cjs')
      .replace('banner: { js: banner }', "logOverride: { 'empty-import-meta': 'silent' }"),
  };
}

// The second is one that the parser and the lint have to look at, and values have to be rendered in it.
const migrations: Files = {
  'migrations/20260112141500_patients.js': `
export const up = (knex) => knex.schema.createTable('patients', (t) => {
  t.increments();
  t.text('name').notNullable();
});
export const down = (knex) => knex.schema.dropTable('patients');
`,
  'migrations/20260113090000_patient_email.js': `
export async function up(knex) {
  await knex.schema.alterTable('patients', (t) => t.text('email'));
  await knex('patients').insert({ name: 'Ada', email: 'ada@example.org' });
}
export const down = (knex) => knex.schema.alterTable('patients', (t) => t.dropColumn('email'));
`,
};

/** What the history of this project holds once it has booted. */
export const bundledNames = ['20260112141500_patients.js', '20260113090000_patient_email.js'];

function withoutTopLevelAwait(text: string): string {
  const [imports = '', rest = ''] = text.split('\n\n');
  return `${imports}\n\nasync function main() {\n${rest}}\nvoid main();\n`;
}
