import { describe, expect, test } from 'vitest';
import { verbs } from '../../src/cli/commands.js';
import { runCliHere } from '../support/cli.js';

describe.each(verbs)('$name', ({ name, arguments: words = '' }) => {
  const needed = words.split(' ').filter((word) => word.startsWith('<'));
  const given = [name, ...needed.map(() => 'accept')];

  test('told nonsense ends with 78, one sentence and a remedy, before it has connected', async () => {
    const { code, stdout, stderr } = await runCliHere([...given, '--migrations', '']);
    expect({ code, stdout }).toEqual({ code: 78, stdout: '' });
    expect(stderr).toMatch(/^EM_CONFIG_INVALID: --migrations is empty\n {2}Give --migrations a value, or leave it out\..*\n$/);
  });

  test.each([
    ['an option that is empty', [...given, '--migrations', '']],
    ['an option that it does not have', [...given, '--nonsense']],
    ['too many words', [...given, 'one', 'two', 'three']],
  ])('with --json says of %s that it is wrong, as JSON and nothing else', async (_what, args) => {
    const { code, stdout } = await runCliHere([...args, '--json']);
    expect(code).toBe(78);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'EM_CONFIG_INVALID', message: expect.any(String) as string, remedy: expect.any(String) as string },
    });
  });
});
