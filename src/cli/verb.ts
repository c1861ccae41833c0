import type { Options } from '../config/index.js';
import type { Screen } from './screen.js';

/** What a verb was given on the command line. */
export interface Input {
  readonly args: readonly string[];
  /** By the flag's name in camelCase: text, or true. */
  readonly flags: Readonly<Record<string, string | boolean | undefined>>;
  /** Asks a person a question that is answered by yes or no. Undefined where nobody sits at a terminal. */
  readonly ask: ((question: string) => Promise<boolean>) | undefined;
  /** Asks for a few words. Undefined there, too. */
  readonly askText: ((question: string) => Promise<string>) | undefined;
}

/** One verb of the command line: how it is called, what it says of itself, the function of the library behind it, and its result as text. */
export interface Verb {
  readonly name: string;
  /** As commander writes them: `<target>` must be given, `[target]` may be, `[files...]` are any number. */
  readonly arguments?: string;
  readonly summary: string;
  /** What it does in a few sentences, for its --help and docs/commands.md. */
  readonly description: string;
  /** Flags as commander writes them, each with its sentence. */
  readonly flags?: Readonly<Record<string, string>>;
  /** Complete command lines. */
  readonly examples: readonly string[];
  readonly run: (options: Options, input: Input) => Promise<Told>;
}

/** What a verb's result comes to on the command line. */
export interface Told {
  /** For --json, as it is. */
  readonly result: unknown;
  readonly text: (screen: Screen) => string;
  /** Default 0. */
  readonly exitCode?: 0 | 78;
}

/** The value of a flag that takes one, when it was given. */
export function flagText({ flags }: Pick<Input, 'flags'>, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
}
