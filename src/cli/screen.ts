import { styleText } from 'node:util';
import { shellWord } from '../finding.js';
import { printable } from '../sites.js';

type Format = Parameters<typeof styleText>[0];

/** Where text goes: how wide it is (Infinity: as wide as need be), and whether colours are wanted. */
export interface Screen {
  readonly columns: number;
  readonly style: (format: Format, text: string) => string;
  /** What was said of where, by flag. */
  readonly said?: Readonly<Record<string, string>>;
}

/** The end of a command that is shown, such as ` --database eu`: without it the command would be about another place, or about all. */
export function saidAgain({ said = {} }: Screen): string {
  return Object.entries(said)
    .map(([flag, value]) => ` --${flag} ${shellWord(printable(value))}`)
    .join('');
}

/** The screen of a stream: colours on a terminal only, and not where NO_COLOR is set (no-color.org). */
export function screenOf(stream: NodeJS.WriteStream): Screen {
  const coloured = stream.isTTY && !process.env['NO_COLOR'];
  return {
    columns: stream.columns > 0 ? stream.columns : stream.isTTY ? 80 : Infinity, // in a pipe, or a log, names stay whole
    // Without its own look at the stream, which Node 20 does not know: the decision is made here.
    style: (format, text) => (coloured ? styleText(format, text) : text),
  };
}
