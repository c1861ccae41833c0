import type { AllOptions, Options, ProgressEvent } from '../config/index.js';
import type { ReportSection } from '../commands/index.js';
import type { Finding } from '../finding.js';
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
  /** What it does where the configuration names several histories. Default `one`. */
  readonly sites?: Sites | ((input: Pick<Input, 'flags'>) => Sites);
  /** Whether it changes what it works on: then several are worked on one after the other, and none is begun after one that has failed. */
  readonly writes?: true;
  readonly run: (options: Options, input: Input) => Promise<Told>;
  /** In place of `run` on each, where whole databases are meant and no argument is given. */
  readonly runAll?: (options: Options | AllOptions, voice: Voice) => Promise<Told>;
}

/**
 * `each` is worked on, or `one` that must be chosen. With `files` it is about the files of the migrations alone, which shards and tenants share: histories with the same
 * count as one. `none`: about no history.
 */
export type Sites = 'each' | 'one' | 'each files' | 'one files' | 'none';

export interface Voice {
  readonly onProgress: (event: ProgressEvent) => void;
}

/** A row of the table that tells of several, by the titles of its columns. A column in which nothing stands is left out. */
export type Cells = Readonly<Record<string, string | number | undefined>>;

/** What a verb's result comes to on the command line. */
export interface Told {
  /** For --json, as it is. */
  readonly result: unknown;
  readonly text: (screen: Screen) => string;
  /** What is essential of it, where several are told in one table; without it each has a section. */
  readonly rows?: readonly Cells[];
  /** What a row of such a table only counts. */
  readonly findings?: readonly Finding[];
  /** For --html, where it was asked for. */
  readonly page?: readonly ReportSection[];
  /** Default 0. */
  readonly exitCode?: 0 | 75 | 78;
}

/** The value of a flag that takes one, when it was given. */
export function flagText({ flags }: Pick<Input, 'flags'>, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
}
