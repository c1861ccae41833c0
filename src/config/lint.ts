import { record, refuse, shown, text, type Reader } from './values.js';

/** How migrations are judged, as it is given. */
export interface LintInput {
  /** The revision from which on migrations are judged; all older are not. */
  readonly from?: string | undefined;
  /**
   * How many rows a table may have before a scan, a rewrite or a block of it counts.
   * @default 10000
   * @asType integer
   * @minimum 0
   */
  readonly smallTableRows?: number | undefined;
}

/** The same, resolved. */
export interface LintSettings {
  /** The revision from which on migrations are judged. */
  readonly from?: string;
  /** How many rows a table may have before a scan, a rewrite or a block of it counts. */
  readonly smallTableRows: number;
}

/** A table of so many rows is read in some milliseconds. */
export const defaultSmallTableRows = 10_000;

export const readLint: Reader<false | LintSettings> = (value, place) => {
  if (value === false) return false;
  const given = record<LintSettings>({ from: text, smallTableRows: readCount })(value, place);
  return Object.freeze({ smallTableRows: defaultSmallTableRows, ...given });
};

const readCount: Reader<number> = (value, place) =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : refuse(place, 'a whole number from 0 up', shown(value));
