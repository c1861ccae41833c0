import { afterEach, beforeEach, expect } from 'vitest';
import { isMigrationError } from '../../src/errors.js';

/** With a password that no problem may show. */
export const secretUrl = 'postgres://app:s3cret@db:5432/clinic';

/** Each test of the file has this environment and no other. */
export function withEnvironment(given: NodeJS.ProcessEnv): void {
  const environment = process.env;
  beforeEach(() => void (process.env = { ...given }));
  afterEach(() => void (process.env = environment));
}

/** The lines of the one error with which options are refused, without its first line and its remedy; none where they are not. */
export function problemsIn(resolve: () => unknown): string[] {
  try {
    resolve();
    return [];
  } catch (error) {
    if (!isMigrationError(error, 'EM_CONFIG_INVALID')) throw error;
    expect(error.message).not.toContain('s3cret');
    const [first, ...lines] = error.message.split('\n  ');
    expect([first, lines.pop()]).toEqual(['the options are not valid:', 'Correct the options named above.']);
    return lines;
  }
}
