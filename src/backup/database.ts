import type { Call } from '../call.js';
import { findTool, runTool } from '../client-tools/index.js';
import { messageOf, sqlStateOf } from '../errors.js';
import type { Session } from '../session/index.js';
import { identifier } from '../sql.js';
import { refused, type Archive } from './archive.js';

export interface MakeRequest {
  readonly call: Call;
  /** Of another database on the same server. */
  readonly session: Session;
  readonly name: string;
}

/**
 * Makes the database for a backup, empty: with the encoding, the locale, the owner and the settings of the one that was backed up.
 * Throws EM_RESTORE_REFUSED where there is one of that name.
 */
export async function makeDatabase(archive: Archive, { call, session, name }: MakeRequest): Promise<void> {
  const { create, alter } = await readDatabase(archive, call);
  try {
    await session.send(`create database ${identifier(name)}${create}`);
  } catch (error) {
    if (sqlStateOf(error) === '42P04') throw exists(name);
    throw error;
  }
  try {
    for (const change of alter) await session.send(`alter database ${identifier(name)} ${change}`);
  } catch (error) {
    await dropDatabase({ call, session, name });
    throw error;
  }
}

/** Drops what was made in vain. Never throws: what is left must not hide why. */
export async function dropDatabase({ call, session, name }: MakeRequest): Promise<void> {
  try {
    await session.send(`drop database if exists ${identifier(name)} with (force)`);
  } catch (error) {
    call.report.warn('restore.left', { database: name, reason: messageOf(error) });
  }
}

const quotedName = String.raw`(?:"(?:[^"]|"")+"|[^\s"]+)`;

// What stands before the first object is about the database itself.
async function readDatabase({ file, dumpedBy }: Archive, call: Call): Promise<{ create: string; alter: string[] }> {
  const tool = await findTool({ name: 'pg_restore', atLeast: dumpedBy, of: 'the pg_dump that wrote the backup', stop: call.stop });
  const script = await runTool({ call, tool, args: ['--create', '--schema-only', '--file=-', '--', file] });
  const [head = ''] = script.split(/^(?=CREATE (?!DATABASE))/m, 1);
  const create =
    new RegExp(`^CREATE DATABASE ${quotedName}( WITH TEMPLATE = template0 .*);$`, 'm').exec(head)?.[1] ?? ' template template0';
  const alter = [...head.matchAll(new RegExp(`^ALTER DATABASE ${quotedName} ((?:SET|OWNER TO) .+);$`, 'gm'))].map(
    ([, change]) => change ?? '',
  );
  return { create, alter };
}

function exists(name: string) {
  return refused(`there is a database "${name}" already`, {
    remedy: 'Give another name; or leave `create` out, to restore into that one while it is empty. Nothing was changed.',
  });
}
