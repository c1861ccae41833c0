import { readFile } from 'node:fs/promises';

/** What a JSON file says. Its text is never quoted: a password may stand in it. */
export async function readJson(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8');
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    throw new Error('it is not valid JSON, which has neither comments nor trailing commas'); // V8's own message quotes it
  }
}
