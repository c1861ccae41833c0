import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { refuse, shown, within, type Place } from './values.js';

/** Reads a directory or a list of them: paths from the working directory, or file URLs. Absolute; whether they exist is not looked at. */
export function readDirectories(value: unknown, place: Place): readonly string[] | undefined {
  return readPaths(value, place, 'directory');
}

/** The same of files. */
export function readFiles(value: unknown, place: Place): readonly string[] | undefined {
  return readPaths(value, place, 'file');
}

/** The same of one file. */
export function readFile(value: unknown, place: Place): string | undefined {
  return readPath(value, place, 'file');
}

type Kind = 'directory' | 'file';

function readPaths(value: unknown, place: Place, kind: Kind): readonly string[] | undefined {
  if (Array.isArray(value) && value.length === 0) return refuse(place, `a ${kind} or a list of them`, 'an empty list');
  const paths = Array.isArray(value)
    ? value.map((each, index) => readPath(each, within(place, String(index)), kind))
    : [readPath(value, place, kind)];
  return Object.freeze(paths.filter((path) => path !== undefined));
}

function readPath(value: unknown, place: Place, kind: Kind): string | undefined {
  const expected = `a path or a file URL of a ${kind}`;
  if (value instanceof URL) return readFileUrl(value.href, place, expected);
  if (typeof value !== 'string' || value === '') return refuse(place, expected, shown(value));
  return value.startsWith('file:') ? readFileUrl(value, place, expected) : resolve(value);
}

function readFileUrl(url: string, place: Place, expected: string): string | undefined {
  try {
    return resolve(fileURLToPath(url)); // without the slash at the end
  } catch {
    return refuse(place, expected, shown(url));
  }
}
