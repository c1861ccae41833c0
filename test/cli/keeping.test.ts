import { expect, test } from 'vitest';
import { dumpOf, describeWithClientTools, dumpableMajor } from '../support/client-tools.js';
import { runCli } from '../support/cli.js';
import { createDatabase } from '../support/servers.js';
import { makeClinic } from '../backup/fixture.js';

describeWithClientTools('backup and restore on the command line', () => {
  test('go there and back, without the files of the migrations', async () => {
    const { database, directory, files } = await makeClinic();
    const target = await createDatabase({ major: dumpableMajor });
    const env = { DATABASE_URL: database.url };
    const taken = await runCli(['backup', '--directory', directory, '--keep-count', '1'], { env });
    const file = `${directory}/${(await files())[0]}`;
    expect(taken).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Backed up the database "\S+" at 01_notes\.js \(\d+ bytes\):\n/) as string,
    });
    expect(taken.stdout).toContain(file);
    const restored = await runCli(['restore', file], { env: { DATABASE_URL: target.url } });
    expect(restored).toMatchObject({
      code: 0,
      stdout: `Restored ${file}\ninto the database "${target.name}", which is at 01_notes.js now.\n`,
    });
    expect(dumpOf(target)).toBe(dumpOf(database));
    const again = await runCli(['restore', file], { env: { DATABASE_URL: target.url } });
    expect(again).toMatchObject({ code: 78, stdout: '' });
    expect(again.stderr).toMatch(/EM_RESTORE_REFUSED: the database "\S+" is not empty: /);
    const json = JSON.parse((await runCli(['backup', '--directory', directory, '--json'], { env })).stdout) as unknown;
    expect(json).toMatchObject({ database: database.name, revision: '01_notes.js', bytes: expect.any(Number) as number });
  });

  test.each([
    [['backup'], /EM_CONFIG_INVALID[^]*expected a directory/],
    [['backup', '--directory', '.', '--keep-count', 'many'], /backup\.keepCount: expected a whole number from 1; got NaN/],
    [['restore', 'gone.dump'], /EM_RESTORE_REFUSED[^]*ENOENT/],
  ])('%j ends with 78 and says what would', async (args, says) => {
    const { code, stderr } = await runCli(args, { env: { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nowhere' } });
    expect(stderr).toMatch(says);
    expect(code).toBe(78);
  });
});
