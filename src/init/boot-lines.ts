import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { isKnexfile } from '../config-file/index.js';
import { isModuleFile, type Project } from '../project.js';

interface Boot {
  readonly config: string;
  readonly project: Project;
  readonly bootFile: string;
}

const names = ['src', ''].flatMap((folder) =>
  ['main', 'server', 'index', 'app'].flatMap((name) =>
    ['ts', 'mts', 'js', 'mjs', 'cjs'].map((extension) => join(folder, `${name}.${extension}`)),
  ),
);

/** The file in which the application starts, by the usual names. */
export function findBootFile(root: string): string | undefined {
  return names.map((name) => join(root, name)).find((file) => existsSync(file));
}

/** What to write into the boot file: it runs as it stands, in that file. */
export function bootLinesFor({ config, project, bootFile }: Boot): string[] {
  const isTypescript = /\.[cm]?ts$/.test(bootFile);
  const isModule = isModuleFile(bootFile, project) || isEsSyntax(bootFile);
  const load = (what: string, from: string) =>
    isModule || isTypescript ? `import ${what} from '${from}';` : `const ${what} = require('${from}');`;
  const name = isKnexfile(config) ? 'knexfile' : 'config';
  const imports = [load('{ ensureMigrated }', 'ensure-migrated'), load(name, specifier(config, bootFile, project))];
  const call = callOf(isKnexfile(config) ? '{ knex }' : 'config', project);
  const knex = `const knex = createKnex(knexfile[process.env.NODE_ENV ?? 'development'] ?? knexfile);`;
  const all = isKnexfile(config) ? [load('createKnex', 'knex'), ...imports, '', knex] : [...imports];
  if (isModule) return [...all, '', ...call];
  return [...all, '', 'async function start() {', ...call.map((line) => `  ${line}`), '}', '', 'void start();'];
}

// An error that nobody catches would end Node with 1, which tells an orchestrator nothing.
function callOf(options: string, project: Project): string[] {
  return [
    '// Returns on a database that matches this code; else the process ends here, and nothing listens.',
    `await ensureMigrated(${options}).catch((error) => {`,
    '  console.error(error);',
    '  process.exit(error.exitCode ?? 1); // 75: try again later; 78: a person must act',
    '});',
    `// ${listening(project)}. What must answer health checks meanwhile listens before it: createProbe().`,
  ];
}

// Without a "type" in package.json Node takes a file for what it is written in.
function isEsSyntax(file: string): boolean {
  return file.endsWith('.js') && existsSync(file) && /^(?:import|export)\s/m.test(readFileSync(file, 'utf8'));
}

function specifier(config: string, bootFile: string, { importsTypescript }: Project): string {
  const path = relative(dirname(bootFile), config).split(sep).join('/');
  const written = path.startsWith('.') ? path : `./${path}`;
  return importsTypescript ? written : written.replace(/\.([cm]?)ts$/, '.$1js');
}

const frameworks: Readonly<Record<string, string>> = {
  '@nestjs/core': 'await NestFactory.create(...) comes after it',
  fastify: 'await app.listen(...) comes after it',
  express: 'app.listen(...) comes after it',
  koa: 'app.listen(...) comes after it',
  '@hapi/hapi': 'await server.start() comes after it',
};

function listening({ dependencies }: Project): string {
  const [, line = 'server.listen(...) comes after it'] = Object.entries(frameworks).find(([name]) => dependencies.includes(name)) ?? [];
  return line;
}
