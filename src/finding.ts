/** How a rule's findings are treated: `error` refuses the boot, `warn` and `info` are logged and returned, `off` is not looked for. */
export type Level = 'error' | 'warn' | 'info' | 'off';

/** Where a finding stands, as far as it is known. `line` counts from 1. */
export interface Place {
  /** Its name. */
  readonly migration?: string;
  /** Its path. */
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
}

/**
 * One value for "something is wrong here": a failed check, a state that does not fit, drift, a lint warning.
 * `message` names the harm, `remedy` is an imperative that a tired person can follow.
 */
export interface Finding {
  /** A rule, or what else was found: docs/errors.md and docs/lint.md list them. A later release may have more. */
  readonly code: string;
  /** `error` refuses; the others do not. */
  readonly level: 'error' | 'warn' | 'info';
  /** The harm, in one sentence. */
  readonly message: string;
  /** What to do, as an imperative. */
  readonly remedy: string;
  /** Undefined where it is about no one place. */
  readonly at?: Place;
}

/** The same finding, of one of several. */
export function placed(finding: Finding, place: string): Finding {
  return { ...finding, message: `${place}: ${finding.message}` };
}

/** The findings that refuse a boot. */
export function errorsOf(findings: readonly Finding[]): Finding[] {
  return findings.filter((finding) => finding.level === 'error');
}

/** A word as a shell reads it, for the command lines that a remedy names. */
export function shellWord(text: string): string {
  return /^[\w.@%+=:,/-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
