import { Transform } from 'node:stream';
import type { Call } from '../call.js';
import { findTool, runTool, type Tool } from '../client-tools/index.js';
import type { Connect } from '../config/index.js';
import type { Facts } from '../history/index.js';

export interface Restoring {
  readonly call: Call;
  readonly source: Connect;
  readonly file: string;
  readonly tool: Tool;
  /** What is to be restored how. */
  readonly args: readonly string[];
  readonly stop: AbortSignal;
}

// https://www.postgresql.org/docs/17/release-17.html: the setting is new there, and pg_restore sends it to every server.
const refusedLine = 'SET transaction_timeout = 0;\n';
const firstToSendIt = 17;

/** Whether a server does not know a setting with which this pg_restore begins, so that it could restore nothing whole. */
export function isRefusedBy({ serverVersion }: Pick<Facts, 'serverVersion'>, { major }: Pick<Tool, 'major'>): boolean {
  return major >= firstToSendIt && serverVersion < firstToSendIt * 10_000;
}

/** By pg_restore alone. */
export async function restoreDirectly({ args, file, ...run }: Restoring): Promise<void> {
  // An empty name is the one of PGDATABASE; without the flag pg_restore would write a script.
  await runTool({ ...run, args: [...args, '--no-password', '--dbname=', '--', file] });
}

/**
 * By pg_restore and psql, with that setting left out on the way. The script begins and commits the one transaction itself: one that breaks off,
 * and psql that is ended, leave nothing behind.
 */
export async function restoreByScript({ call, source, file, tool, args, stop }: Restoring): Promise<void> {
  const psql = await findTool({ name: 'psql', atLeast: tool.major, of: tool.file, stop });
  const script = withoutRefusedLine();
  const flags = ['--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--no-password', '--file=-'];
  const ends = await Promise.allSettled([
    runTool({ call, tool: psql, source, args: flags, input: script, stop }),
    runTool({ call, tool, args: [...args, '--file=-', '--', file], output: script, stop }),
  ]);
  for (const end of ends) if (end.status === 'rejected') throw end.reason; // psql first: when it ends, pg_restore has nobody to write to
}

/** The settings stand in the first kilobyte; the same line may well be a row of a table further on. */
const searchedLength = 1_024;

function withoutRefusedLine(): Transform {
  let head: Buffer | undefined = Buffer.alloc(0);
  const cleaned = (text: Buffer) => Buffer.from(text.toString('latin1').replace(refusedLine, ''), 'latin1'); // byte for byte
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      if (head === undefined) return done(null, chunk);
      head = Buffer.concat([head, chunk]);
      if (head.length < searchedLength) return done();
      const whole = Buffer.concat([cleaned(head.subarray(0, searchedLength)), head.subarray(searchedLength)]);
      head = undefined;
      done(null, whole);
    },
    flush(done) {
      done(null, head && cleaned(head));
    },
  });
}
