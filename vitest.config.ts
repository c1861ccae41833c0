import path from 'node:path';
import { defineConfig } from 'vitest/config';

const report = process.env['TEST_REPORT']; // .ci/run counts from it
const [src, dist] = ['src', 'dist'].map((folder) => path.join(import.meta.dirname, folder, path.sep)) as [string, string];

export default defineConfig({
  plugins: [
    {
      // The tests import what is published, as their child processes do. Node loads it in a third of vite's time, and refuses what vite forgives.
      name: 'dist-for-src',
      enforce: 'pre',
      async resolveId(source, importer) {
        const resolved = importer === undefined ? null : await this.resolve(source, importer, { skipSelf: true });
        return resolved?.id.startsWith(src) ? path.join(dist, resolved.id.slice(src.length)).replace(/\.ts$/, '.js') : resolved;
      },
    },
  ],
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    server: { deps: { external: [/\/dist\//] } },
    // A process per file: the tests send signals, and look at what is loaded.
    pool: 'forks',
    maxWorkers: 3, // they wait for servers and processes as much as they compute
    retry: process.env['CI'] ? 1 : 0, // a machine that stalls for seconds is no fault of the code; vitest's report names what was retried
    testTimeout: 60_000,
    hookTimeout: 60_000,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
