export default {
  testMatch: ['**/examples/testing/jest-commonjs/*.spec.cjs'],
  transform: {},
  globalSetup: '../jest/start-server.js',
  globalTeardown: '../jest/stop-server.js',
  testEnvironment: './database-environment.js',
};
