import { readFiles } from './directories.js';
import { isObject, refuse, record, texts, type Place } from './values.js';

/** Where the model of the schema is, as the user gives it. */
export type SchemaInput =
  | string
  | URL
  | readonly (string | URL)[]
  | {
      /** A module with a default function `(knex) => ...`, a .sql, or a list of both, run in this order. */
      readonly files: string | URL | readonly (string | URL)[];
      /** The schemas (`app`) and the objects in them (`app.orders`, `app.audit_*`) that the model is about. Default: all. */
      readonly include?: readonly string[] | undefined;
      /** Those that it is not about; beats `include`. */
      readonly exclude?: readonly string[] | undefined;
    };

/** Where the model of the schema is, and what of a database it is about. */
export interface SchemaSource {
  /** Absolute. */
  readonly files: readonly string[];
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

/** Reads the option `schema`: files, or an object of them with `include` and `exclude`. */
export function readSchemaSource(value: unknown, place: Place): SchemaSource | undefined {
  if (!isObject(value) || value instanceof URL) return sourceOf(readFiles(value, place), {});
  const before = place.problems.length;
  const read = record<SchemaSource>({ files: readFiles, include: texts, exclude: texts })(value, place);
  if (read === undefined || place.problems.length > before) return undefined;
  return read.files === undefined ? refuse(place, 'the files of the model', 'none') : sourceOf(read.files, read);
}

function sourceOf(files: readonly string[] | undefined, { include = [], exclude = [] }: Partial<SchemaSource>): SchemaSource | undefined {
  return files && Object.freeze({ files, include, exclude });
}
