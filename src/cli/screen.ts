import { styleText } from 'node:util';

type Format = Parameters<typeof styleText>[0];

/** Where text goes: how wide it is (Infinity: as wide as need be), and whether colours are wanted. */
export interface Screen {
  readonly columns: number;
  readonly style: (format: Format, text: string) => string;
  /** What the person has said of where, such as ` --database eu`: the commands that are shown say it again, else they would be about another place, or about all. */
  readonly where?: string;
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
