import { openToolEnvironment, runProgram } from '../client-tools/index.js';
import { redact } from '../sql.js';
import type { Backup, BackupRequest } from './index.js';

/** How much of what a command writes is kept: the last line names the backup. */
const keptOfOutput = 4_000;

/**
 * Runs the user's command in the shell, connected by the PG* variables, with ENSURE_MIGRATED_DATABASE and ENSURE_MIGRATED_REVISION (`base`
 * where nothing is applied). Any exit code but 0 is a failure.
 */
export async function runCommand(command: string, { call, session, facts, revision, stop }: BackupRequest): Promise<Backup> {
  await using environment = await openToolEnvironment(call, session.source, 'backup');
  const { variables, secrets } = environment;
  const text = await runProgram({
    file: '/bin/sh',
    args: ['-c', command],
    variables: { ...variables, ENSURE_MIGRATED_DATABASE: facts.database, ENSURE_MIGRATED_REVISION: revision ?? 'base' },
    secrets,
    stop,
    keep: keptOfOutput,
  });
  const name = redact(text.trim().split('\n').at(-1)?.trim() ?? '', secrets);
  return { name: name === '' ? 'taken by the command of the option `backup`' : name };
}
