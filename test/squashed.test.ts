import { expect, test } from 'vitest';
import { selectRange } from '../src/script/index.js';
import { migrationId, type Migration } from '../src/source/index.js';
import { appliedAmong, pendingAmong, recordedAmong, squashedIn } from '../src/squashed.js';

function migration(name: string, replaced: readonly string[] = []): Migration {
  const replaces = replaced.map((each) => {
    const standsFor = each.includes('squash') ? ('all above' as const) : ('itself' as const);
    return { name: each, id: migrationId(each), checksum: undefined, standsFor };
  });
  const listed = { name, id: migrationId(name), file: `/m/${name}`, checksum: undefined };
  return { ...listed, load: () => Promise.reject(new Error('nothing is loaded')), ...(replaced.length > 0 && { replaces }) };
}

const [one, two, three] = [migration('1.js'), migration('2.js'), migration('3.js')];
const squash = migration('2_squash.sql', ['1.js', '2.js']);
const again = migration('3_squash.sql', ['1.js', '2.js', '2_squash.sql', '3.js']);
const namesOf = (migrations: readonly Migration[]) => migrations.map(({ name }) => name);

test.each([
  ['nothing', [], ['2_squash.sql', '3.js'], []],
  ['a part', ['1.js'], ['2.js', '3.js'], ['1.js']],
  ['all that is replaced', ['1.ts', '2.ts'], ['3.js'], ['1.js', '2.js', '2_squash.sql']],
  ['the squash', ['2_squash.sql'], ['3.js'], ['2_squash.sql']],
])('a history of %s', (_what, applied, pending, made) => {
  const all = [one, two, squash, three];
  expect(namesOf(pendingAmong(all, applied))).toEqual(pending);
  expect(namesOf(appliedAmong(all, applied))).toEqual(made);
});

test.each([
  [[], ['3_squash.sql'], []],
  [['1.js', '2.js', '3.js'], [], []],
  [['2_squash.sql', '3.js'], [], []],
  [['2_squash.sql'], [], ['3.js']],
  [['1.js', '3.js'], [], ['2.js']],
])('a squash of a squash, where %j is applied', (applied, pending, lacking) => {
  expect(namesOf(pendingAmong([again], applied))).toEqual(pending);
  expect(squashedIn([again], applied).lacking).toEqual(lacking);
});

test('a database that stands inside of a squash has the old ones on record, one behind it has the squash', () => {
  const all = [one, two, squash, three];
  expect(namesOf(recordedAmong(all, 2))).toEqual(['1.js', '2.js']);
  expect(namesOf(recordedAmong(all, 4))).toEqual(['2_squash.sql', '3.js']);
  expect(() => selectRange('1.js:head', all)).toThrow('starts or ends inside of what a squash replaces');
  expect(namesOf(selectRange('base:head', all).migrations)).toEqual(['2_squash.sql', '3.js']);
  expect(namesOf(selectRange('head:2_squash', all).migrations)).toEqual(['3.js']);
});
