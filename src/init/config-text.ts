import { sep } from 'node:path';
import { isModuleFile, type Project } from '../project.js';

interface Wanted {
  readonly config: string;
  readonly project: Project;
  /** The directory of the migrations, from that of the file. */
  readonly steps: string;
}

const comment = '// For the application, which imports it, and for the command line. DATABASE_URL says where the database is.';

/** The text of a configuration file. What it says does not depend on the working directory, where the language has a way to say so. */
export function configText({ config, project, steps }: Wanted): string {
  const path = steps.split(sep).join('/');
  const isTypescript = /\.[cm]?ts$/.test(config);
  if (!isModuleFile(config, project) && !isTypescript) return commonJs(path);
  // tsc refuses import.meta in what it compiles to CommonJS.
  const migrations = isModuleFile(config, project) ? `new URL('./${path}', import.meta.url)` : `'./${path}'`;
  return `import { defineConfig } from 'ensure-migrated';

${comment}
export default defineConfig({
  migrations: ${migrations},
});
`;
}

function commonJs(path: string): string {
  return `const { join } = require('node:path');
const { defineConfig } = require('ensure-migrated');

${comment}
module.exports = defineConfig({
  migrations: join(__dirname, '${path}'),
});
`;
}
