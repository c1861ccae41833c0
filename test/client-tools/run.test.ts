import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { runProgram, ToolError, type ProgramRun } from '../../src/client-tools/index.js';

const { signal: never } = new AbortController();

async function shell(script: string, run: Partial<ProgramRun> = {}): Promise<string> {
  return await runProgram({ file: '/bin/sh', args: ['-c', script], variables: { PATH: '/usr/bin:/bin' }, stop: never, ...run });
}

test('a program gives what it wrote, and sees the variables that it was given and no others', async () => {
  expect(await shell('echo "$A-$HOME"', { variables: { A: '1' } })).toBe('1-\n');
  expect(await shell('seq 100000 | tail -n 5', { keep: 7 })).toBe('100000\n');
});

test('a program that fails is told with the end of what it wrote to stderr, without secrets', async () => {
  const failure = await shell('echo s3cret >&2; exit 3', { secrets: ['s3cret'] }).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ToolError);
  expect(failure).toMatchObject({ message: 'sh ended with exit code 3: ***' });
  await expect(shell('yes long | head -c 100000 >&2; exit 1')).rejects.toThrow(/^.{1000,4100}$/s);
  await expect(runProgram({ file: '/no/such', args: [], variables: {}, stop: never })).rejects.toThrow(
    /^such could not be started: .*ENOENT/,
  );
});

test('a program is ended when what it writes cannot be kept', async () => {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  const output = new Writable({ write: (_chunk, _encoding, done) => done(full) });
  await expect(shell('echo one; sleep 60', { output })).rejects.toThrow('what sh wrote could not be kept: ENOSPC: no space left on device');
});

test('a program that does not heed SIGTERM is killed, with what it has started', async () => {
  const abort = new AbortController();
  const started = performance.now();
  const running = shell(`trap '' TERM; sleep 60 & sleep 60`, { stop: abort.signal });
  setTimeout(() => abort.abort(new Error('enough')), 100);
  await expect(running).rejects.toThrow('enough');
  expect(performance.now() - started).toBeLessThan(1_500);
});
