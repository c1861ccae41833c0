import type { Finding } from '../finding.js';
import { MigrationError } from '../errors.js';

/** A message as it stands in a comment: one line. U+2028 and U+2029 end a line of JavaScript, too. */
export function oneLine(message: string): string {
  return message.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
}

const slugLength = 60;

/**
 * The words of a message as a part of a file name: lower case, Latin letters without their accents, other scripts as they are. Throws
 * EM_CONFIG_INVALID for a message without a word. Pure.
 */
export function slugOf(message: string, separator: '_' | '-'): string {
  const words = wordsOf(message);
  if (words.length === 0) {
    const remedy = 'Say what the migration changes: ensure-migrated revision "add patient email".';
    throw new MigrationError('EM_CONFIG_INVALID', `the message ${JSON.stringify(oneLine(message))} has no word in it.`, { remedy });
  }
  const [first = '', ...rest] = words;
  const start = [...first].slice(0, slugLength).join('');
  return rest.reduce((slug, word) => (slug.length + word.length < slugLength ? slug + separator + word : slug), start);
}

const spelt: Readonly<Record<string, string>> = { ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', đ: 'd', ð: 'd', ł: 'l', þ: 'th', ı: 'i' };

function wordsOf(message: string): string[] {
  const plain = message
    .normalize('NFKD')
    .replaceAll(/(\p{Script=Latin})\p{M}+/gu, '$1') // of other scripts the marks are letters: й is not и
    .normalize('NFC')
    .toLowerCase()
    .replaceAll(/[ßæœøđðłþı]/g, (letter) => spelt[letter] ?? letter)
    .replaceAll(/['’]/g, ''); // the patient's email
  return plain.match(/[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu) ?? [];
}

const vague = new Set(
  [
    'a again and another bar bugfix change changed changes data database databases db edit edits final fix fixed fixes fixing foo for',
    'hotfix it migrate migration migrations minor misc miscellaneous modify more my new of other patch revision schema small some sql',
    'stuff table tables temp temporary test tests the thing things this tmp to todo tweak tweaks update updated updates updating various',
    'wip work',
  ].flatMap((line) => line.split(' ')),
);

/** A warning for a message that tells nobody what the migration does: each of its words would fit any other one. Pure. */
export function judgeMessage(message: string): readonly Finding[] {
  if (!wordsOf(message).every((word) => vague.has(word) || /^\p{N}+$/u.test(word))) return [];
  const finding: Finding = {
    code: 'revision-message',
    level: 'warn',
    message: `the message "${oneLine(message)}" does not say what the migration changes.`,
    remedy: 'Rename the file before it is applied anywhere, to what it does and to which table: "add_patient_email".',
  };
  return [finding];
}
