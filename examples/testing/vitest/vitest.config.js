import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { include: ['examples/testing/vitest/*.spec.js'], globalSetup: ['ensure-migrated/vitest/setup'] },
});
