import { readFile, readFiles } from './directories.js';
import { isObject, refuse, record, texts, type Place } from './values.js';

/** Where the model of the schema is, as the user gives it. */
export type SchemaInput =
  | string
  | URL
  | readonly (string | URL)[]
  | {
      /** A module with a default function `(knex) => ...`, a .sql, or a list of both, run in this order. */
      readonly files?: string | URL | readonly (string | URL)[] | undefined;
      /** The schemas (`app`) and the objects in them (`app.orders`, `app.audit_*`) that the model is about. Default: all. */
      readonly include?: readonly string[] | undefined;
      /** Those that it is not about; beats `include`. */
      readonly exclude?: readonly string[] | undefined;
      /** A file that has the schema after the last migration as text, for review. */
      readonly snapshot?: string | URL | undefined;
    };

/** Where the model of the schema is, where it is written down, and what of a database it is about. */
export interface SchemaSource {
  /** Absolute. None where there is a snapshot alone. */
  readonly files: readonly string[];
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Absolute. */
  readonly snapshot?: string | undefined;
}

/** Reads the option `schema`: files, or an object of them with `include` and `exclude`. */
export function readSchemaSource(value: unknown, place: Place): SchemaSource | undefined {
  if (!isObject(value) || value instanceof URL) return sourceOf(readFiles(value, place), {});
  const before = place.problems.length;
  const read = record<SchemaSource>({ files: readFiles, include: texts, exclude: texts, snapshot: readFile })(value, place);
  if (read === undefined || place.problems.length > before) return undefined;
  if (read.files === undefined && read.snapshot === undefined) return refuse(place, 'the files of the model, or a snapshot', 'none');
  return sourceOf(read.files ?? [], read);
}

function sourceOf(
  files: readonly string[] | undefined,
  { include = [], exclude = [], snapshot }: Partial<SchemaSource>,
): SchemaSource | undefined {
  return files && Object.freeze({ files, include, exclude, ...(snapshot !== undefined && { snapshot }) });
}
