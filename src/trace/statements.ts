import type { Sending } from '../session/index.js';
import { Tracer, type TracedStatement } from './tracer.js';

export interface TraceRequest {
  /** To a database that is nobody else's: it takes the real locks, and holds them. */
  readonly wire: Sending['wire'];
  readonly statements: readonly string[];
  /** `rolled-back`: one for all of them, which leaves nothing. `none`: each is committed. */
  readonly transaction: 'rolled-back' | 'none';
}

/**
 * Runs statements one after the other and tells what each did to what was there before the first of them: its locks, and which tables it
 * rewrote, scanned and indexed. Ends at the first that fails, which is listed with what the server said. What cannot run in a transaction
 * (CONCURRENTLY) is run with `none`; see {@link Tracer.around}. Throws where the connection is lost.
 */
export async function traceStatements({ wire, statements, transaction }: TraceRequest): Promise<readonly TracedStatement[]> {
  const tracer = new Tracer();
  const within = transaction === 'none' ? transaction : 'transaction';
  if (within === 'transaction') await wire.send('begin');
  try {
    for (const text of statements) {
      const send: Sending['send'] = async (message) => await wire.send(message);
      await tracer.around({ migration: '', message: { text }, transaction: within, wire, send, placeOf: () => undefined });
    }
  } catch (error) {
    if (wire.lost || tracer.statements.at(-1)?.error === undefined) throw error;
  } finally {
    if (!wire.lost && wire.status !== 'I') await wire.send('rollback');
  }
  return Object.freeze(tracer.statements);
}
