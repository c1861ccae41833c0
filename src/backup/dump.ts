import type { Writable } from 'node:stream';
import { findDump, findTool, runTool, type Tool } from '../client-tools/index.js';
import type { BackupDirectory } from '../config/index.js';
import { messageOf } from '../errors.js';
import type { Backup, BackupRequest } from './index.js';
import { fileNameOf, openPartial, removeOld } from './files.js';

/**
 * Writes a dump into the directory. It goes through this process, so that pg_dump ends with us whatever ends us: left behind, it would hold
 * its locks on all tables against the migrations of the next boot.
 */
export async function dumpInto(settings: BackupDirectory, request: BackupRequest): Promise<Backup> {
  const { call, facts, revision } = request;
  const tool = await findDump(call, facts.serverVersion);
  const reader = await findTool({ name: 'pg_restore', atLeast: tool.major, of: tool.file, stop: call.stop });
  await using partial = await openPartial(settings.directory, fileNameOf({ database: facts.database, revision, at: new Date() }));
  await dump(request, tool, partial.output);
  await partial.sync();
  await runTool({ call, tool: reader, args: ['--list', partial.path] });
  const file = await partial.keep();
  await retain(settings, request);
  return { name: file, bytes: partial.bytes };
}

async function dump({ call, session, facts, stop }: BackupRequest, tool: Tool, output: Writable): Promise<void> {
  const role = facts.role === 'none' ? [] : [`--role=${facts.role}`];
  const waiting = `--lock-wait-timeout=${call.config.timeouts.lockMs}`;
  const args = ['--format=custom', '--no-password', waiting, ...role];
  await runTool({ call, tool, source: session.source, args, output, stop });
}

// The new one stands: that an old one stays is no reason not to migrate.
async function retain(settings: BackupDirectory, { call, facts }: BackupRequest): Promise<void> {
  try {
    const { removed, failed } = await removeOld(settings, facts.database);
    for (const file of removed) call.report.info('backup.removed', { file });
    for (const { file, error } of failed) call.report.warn('backup.left', { file, reason: messageOf(error) });
  } catch (error) {
    call.report.warn('backup.left', { directory: settings.directory, reason: messageOf(error) });
  }
}
