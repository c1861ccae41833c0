import type { LintReport } from '../commands/index.js';
import type { LintFormat } from './lint-flags.js';
import { lintAnnotations } from './lint-github.js';
import { renderSarif } from './lint-sarif.js';
import { lintText } from './lint-text.js';
import { sourceRoot } from './place.js';
import type { Screen } from './screen.js';

/** A report in one of its formats. */
export function lintIn(format: LintFormat, report: LintReport, screen: Screen): string {
  switch (format) {
    case 'sarif':
      return JSON.stringify(renderSarif(report, sourceRoot()), undefined, 2);
    case 'github':
      return lintAnnotations(report, sourceRoot());
    case 'json':
      return JSON.stringify(report, undefined, 2);
    default:
      return lintText(report, screen);
  }
}
