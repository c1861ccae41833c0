export default {
  testMatch: ['**/examples/testing/jest/*.spec.js'],
  transform: {},
  globalSetup: './start-server.js',
  globalTeardown: './stop-server.js',
};
