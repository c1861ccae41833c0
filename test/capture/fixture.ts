import { startCall, type Call } from '../../src/call.js';
import { captureMigration, type Capture, type CaptureRequest } from '../../src/capture/index.js';
import { resolveConfig, type Options } from '../../src/config/index.js';
import { openSession } from '../../src/session/index.js';
import { listMigrations } from '../../src/source/index.js';
import { makeDirectory } from '../support/directories.js';
import type { TestDatabase } from '../support/servers.js';

export interface Asked {
  readonly direction?: 'up' | 'down';
  readonly transaction?: false;
  readonly options?: Options;
}

/** Captures the one migration of this text, without any server. */
export async function captureOffline(text: string, asked: Asked & { readonly name?: string } = {}): Promise<Capture> {
  using call = startCall(resolveConfig({ ...(await optionsFor(text, asked.name)), mode: 'off', ...asked.options }));
  return await captureFirst(call, asked, 'refused');
}

/** The same, with its reads answered from the database. `later` runs while the session is still open. */
export async function captureFrom(
  database: TestDatabase,
  text: string,
  { after = 'nothing', later, ...asked }: Asked & { readonly after?: 'nothing' | 'changes'; readonly later?: () => Promise<unknown> } = {},
): Promise<Capture> {
  using call = startCall(resolveConfig({ ...(await optionsFor(text)), connection: database.url, ...asked.options }));
  await using session = await openSession(call);
  const capture = await captureFirst(call, asked, { session, after });
  await later?.();
  return capture;
}

/** What it would send, as text that can stand alone. */
export function sqlOf({ statements }: Capture): string[] {
  return statements.map(({ sql }) => sql);
}

async function optionsFor(text: string, name = '01.js'): Promise<Options> {
  return { migrations: await makeDirectory({ 'package.json': '{ "type": "module" }', [name]: text }), logger: false };
}

async function captureFirst(call: Call, { direction = 'up', transaction }: Asked, reads: CaptureRequest['reads']): Promise<Capture> {
  const [listed] = await listMigrations(call.config.migrations);
  const migration = await listed!.load();
  return await captureMigration({ call, migration, code: migration[direction]!, transaction: transaction ?? true, reads });
}
