/** What a migration sees of the session while one of its steps runs. The only door of this room, which a boot in sync does not enter. */
import type { Knex } from 'knex';
import type { Session } from '../session/index.js';
import { bindKnex } from './bound-knex.js';
import type { StepConnection } from './connection.js';
import type { StepContext } from './context.js';

export { bindKnex } from './bound-knex.js';
export { brokenBy, TransactionBroken } from './broken.js';
export { StepConnection } from './connection.js';
export { contextOf, type StepContext } from './context.js';
export type { Failure } from './failure.js';
export type { SendPart, StepWire } from './options.js';

/** A knex on a step's connection of this session; see {@link bindKnex}. */
export async function knexFor(session: Session, connection: StepConnection, context?: () => StepContext): Promise<Knex> {
  const { wire, follower, userKnex } = session;
  const cancel = async () => await session.cancel();
  const messages = follower && { messages: 'traced' as const };
  return await bindKnex({ connection, wire, cancel, context, ...messages }, userKnex);
}
