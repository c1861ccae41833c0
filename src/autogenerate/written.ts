/** A name as pg-delta writes it, quoted or not: part of a regular expression. */
export const name = String.raw`(?:"(?:[^"]|"")+"|[\w$]+)`;
/** One with its schema. */
export const path = String.raw`${name}\.${name}`;

/** Without quotes, to be compared. */
export function plain(text: string): string {
  return text.replaceAll('"', '');
}
