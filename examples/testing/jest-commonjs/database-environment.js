import { TestEnvironment } from 'jest-environment-node';
import { startTestDatabases } from 'ensure-migrated/testing';

/** Gives each file the global `db`, reset after each test. jest loads this file with Node's own import(), which its test files cannot do. */
export default class DatabaseEnvironment extends TestEnvironment {
  async setup() {
    await super.setup();
    this.harness = await startTestDatabases();
    this.global.db = await this.harness.acquire();
  }

  async handleTestEvent({ name }) {
    if (name === 'test_done') await this.global.db.reset();
  }

  async teardown() {
    await this.harness?.stop();
    await super.teardown();
  }
}
