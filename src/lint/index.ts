/** What is dangerous about the statements of a migration, and whether older code can live with them. The only door of this room. */
export { isSpared, lintSteps, type ForeseenStatement, type LintedStep, type LintRequest, type LintStep } from './lint.js';
export { foreseenLocks, type ForeseenLock } from './foreseen-locks.js';
export type { Work } from './effects/index.js';
export type { ForeseenEffect } from './judge.js';
export type { Sizes } from './catalog/index.js';
export { LiveLint } from './live.js';
