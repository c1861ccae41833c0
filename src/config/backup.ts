import path from 'node:path';
import { isObject, record, refuse, shown, text, wholeFrom1, type Place, type Reader } from './values.js';

/** How a backup is taken: by pg_dump into a directory, or by a command of the user's. */
export type BackupSettings = BackupDirectory | { readonly command: string };

/** For pg_dump. */
export interface BackupDirectory {
  /** Must exist. */
  readonly directory: string;
  /**
   * How many backups of one database are kept there. Undefined: all of them.
   * @asType integer
   * @minimum 1
   */
  readonly keepCount?: number;
}

const expected = 'false, { directory, keepCount } or { command }';

/** Reads how backups are taken; a relative directory is one of the working directory. */
export function readBackup(value: unknown, place: Place): BackupSettings | false | undefined {
  if (value === false) return false;
  if (!isObject(value)) return refuse(place, expected, shown(value));
  const before = place.problems.length;
  const settings = record<{ directory: string; keepCount: number; command: string }>({ directory, keepCount: wholeFrom1, command: text })(
    value,
    place,
  );
  if (settings === undefined || place.problems.length > before) return undefined;
  const isEither = (value['directory'] === undefined) !== (value['command'] === undefined);
  if (!isEither || (value['command'] !== undefined && value['keepCount'] !== undefined))
    return refuse(place, expected, `an object with ${Object.keys(value).join(', ') || 'nothing in it'}`);
  return settings as BackupSettings;
}

const directory: Reader<string> = (value, place) => {
  const given = text(value, place);
  return given === undefined ? undefined : path.resolve(given);
};
