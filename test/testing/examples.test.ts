import path from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../support/majors.js';
import { startScript } from '../support/process.js';
import { createDatabase } from '../support/servers.js';
import { ours } from './fixture.js';

const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
const jest = path.join(root, 'node_modules/jest/bin/jest.js');

test('examples/testing/vitest passes on an embedded PostgreSQL', async () => {
  const args = ['run', '--config', 'examples/testing/vitest/vitest.config.js'];
  const { code, stdout, stderr } = await startScript(vitest, { args, env: { NO_COLOR: '1' } }).ended;
  expect([code, stdout + stderr]).toEqual([0, expect.stringMatching(/Tests +4 passed/)]);
});

test.each([
  { directory: 'jest', nodeArgs: ['--experimental-vm-modules'] },
  { directory: 'jest-commonjs', nodeArgs: [] },
])('examples/testing/$directory passes on a server that is given', async ({ directory, nodeArgs }) => {
  const { url, ...maintenance } = await createDatabase();
  const args = ['--config', `examples/testing/${directory}/jest.config.js`];
  const { code, stdout, stderr } = await startScript(jest, { args, nodeArgs, env: { DATABASE_URL: url } }).ended;
  expect([code, stdout + stderr]).toEqual([0, expect.stringMatching(/Tests: +2 passed, 2 total/)]);
  expect(await ours({ url, ...maintenance })).toEqual([expect.stringMatching(/^em_t_/)]);
});

test('examples/testing/node-test passes on a server that is given', async () => {
  const { url, ...maintenance } = await createDatabase();
  const args = ['examples/testing/node-test/patients.spec.js'];
  const { code, stdout } = await startScript('--test', { args, env: { DATABASE_URL: url } }).ended;
  expect([code, stdout]).toEqual([0, expect.stringMatching(/pass 3/)]);
  expect(await ours({ url, ...maintenance })).toEqual([expect.stringMatching(/^em_t_/)]);
});
