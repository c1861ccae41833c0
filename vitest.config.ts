import { defineConfig } from 'vitest/config';

const report = process.env['TEST_REPORT']; // .ci/run counts from it

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    // A process per file: the tests send signals, and look at what is loaded.
    pool: 'forks',
    maxWorkers: 3, // they wait for servers and processes as much as they compute
    retry: process.env['CI'] ? 1 : 0, // a machine that stalls for seconds is no fault of the code; vitest's report names what was retried
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
