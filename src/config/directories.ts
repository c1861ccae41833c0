import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { refuse, shown, within, type Place } from './values.js';

const expected = 'a path or a file URL of a directory';

/** Reads a directory or a list of them: paths from the working directory, or file URLs. Absolute; whether they exist is not looked at. */
export function readDirectories(value: unknown, place: Place): readonly string[] | undefined {
  if (Array.isArray(value) && value.length === 0) return refuse(place, 'a directory or a list of them', 'an empty list');
  const directories = Array.isArray(value)
    ? value.map((each, index) => readDirectory(each, within(place, String(index))))
    : [readDirectory(value, place)];
  return Object.freeze(directories.filter((directory) => directory !== undefined));
}

function readDirectory(value: unknown, place: Place): string | undefined {
  if (value instanceof URL) return readFileUrl(value.href, place);
  if (typeof value !== 'string' || value === '') return refuse(place, expected, shown(value));
  return value.startsWith('file:') ? readFileUrl(value, place) : resolve(value);
}

function readFileUrl(url: string, place: Place): string | undefined {
  try {
    return fileURLToPath(url);
  } catch {
    return refuse(place, expected, shown(url));
  }
}
