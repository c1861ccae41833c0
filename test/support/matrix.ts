// Runs the suite against the majors that CI leaves out: npm run test:matrix [-- 14 16 [-- test/some.test.ts]]
import { spawnSync } from 'node:child_process';
import { furtherMajors, installMajor } from './installed.js';
import { root } from './majors.js';

const asked = process.argv.slice(2);
const end = asked.includes('--') ? asked.indexOf('--') : asked.length;
const majors = end === 0 ? Object.keys(furtherMajors) : asked.slice(0, end);
const failed = majors.filter((major) => !test(major, asked.slice(end + 1)));
console.log(failed.length === 0 ? `passed: ${majors.join(', ')}` : `failed: ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;

function test(major: string, files: readonly string[]): boolean {
  console.log(`\nPostgreSQL ${major}`);
  const env = { ...process.env, POSTGRES_MAJOR: major, POSTGRES_FROM: installMajor(Number(major)) };
  return spawnSync('npx', ['vitest', 'run', ...files], { cwd: root, env, stdio: 'inherit' }).status === 0;
}
