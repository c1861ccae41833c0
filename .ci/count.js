// Adds up what .ci/run left in a folder: <run>.status, the exit code, and <run>.json, vitest's report where there is one.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const folder = process.argv[2];
const total = { passed: 0, failed: 0 };
for (const file of readdirSync(folder).filter((name) => name.endsWith('.status'))) {
  const name = path.basename(file, '.status');
  const ended = Number(readFileSync(path.join(folder, file), 'utf8'));
  const { passed, failed } = countOf(path.join(folder, `${name}.json`), ended);
  console.log(`${name}: ${passed} passed, ${failed} failed`);
  total.passed += passed;
  total.failed += failed;
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

// A run that failed without a failed test (lint, a file that does not load) counts as one failure.
function countOf(report, ended) {
  if (!existsSync(report)) return ended === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8'));
  return { passed: numPassedTests, failed: Math.max(numFailedTests, ended === 0 ? 0 : 1) };
}
