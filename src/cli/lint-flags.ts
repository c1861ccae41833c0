import type { LintOptions } from '../commands/index.js';
import type { Options } from '../config/index.js';
import { MigrationError } from '../errors.js';
import { flagText, type Input } from './verb.js';

const formats = ['text', 'json', 'sarif', 'github'] as const;

/** How a report is written. */
export type LintFormat = (typeof formats)[number];

/** What the flags of `lint` come to. */
export interface LintFlags {
  readonly format: LintFormat;
  readonly lintOptions: LintOptions;
  /** The options, with those of the lint that were given as flags. */
  readonly over: Options;
}

/** Reads the flags of `lint`. Throws EM_CONFIG_INVALID for a word that none of them takes. */
export function readLintFlags(options: Options, { args, flags }: Pick<Input, 'args' | 'flags'>): LintFlags {
  const from = flagText({ flags }, 'from');
  const rows = flagText({ flags }, 'smallTableRows');
  const given = { ...(from !== undefined && { from }), ...(rows !== undefined && { smallTableRows: Number(rows) }) };
  const database = oneOf('catalog', ['ask', 'none'] as const, { flags });
  const released = oneOf('released', ['together', 'apart'] as const, { flags });
  return {
    format: oneOf('format', formats, { flags }) ?? 'text',
    lintOptions: { files: args.length === 0 ? undefined : args, database, released, trace: flags['trace'] === true },
    over: Object.keys(given).length === 0 ? options : { ...options, lint: { ...options.lint, ...given } },
  };
}

function oneOf<Word extends string>(name: string, words: readonly Word[], input: Pick<Input, 'flags'>): Word | undefined {
  const value = flagText(input, name);
  const word = words.find((each) => each === value);
  if (value === undefined || word !== undefined) return word;
  throw new MigrationError('EM_CONFIG_INVALID', `--${name} is '${value}'`, {
    remedy: `Give one of ${words.join(', ')}. Nothing was changed.`,
  });
}
