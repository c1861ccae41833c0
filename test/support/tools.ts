import { describe } from 'vitest';

/** Something that not every machine has. */
export interface Tool {
  readonly available: boolean;
  /** Why it is not there, and what to do about it. */
  readonly missing: string;
  /** In CI (REQUIRE_TOOLS=1) its absence is a failure: the tests run, and what they need says what is missing. */
  readonly required: boolean;
}

/** `describe` for tests that need a tool: on a machine without it they are reported as skipped, and why. The only place that skips for a tool. */
export function describeWith({ available, missing, required }: Tool, title: string, tests: () => void): void {
  if (available || (required && process.env['REQUIRE_TOOLS'] === '1')) describe(title, tests);
  else describe.skip(`${title} (${missing})`, tests);
}
