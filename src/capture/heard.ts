import { loadOffline, type Message } from '../session/index.js';
import { Recorder } from './recorder.js';
import type { Capture } from './capture.js';

export interface HeardRequest {
  readonly file: string | undefined;
  readonly transaction: boolean;
  /** What the migration has sent, in order. */
  readonly messages: readonly Message[];
}

/**
 * Makes a capture of what a migration was heard to send while it ran. What only looked is left out: what came of it stands in what was sent
 * afterwards. Opaque where the messages do not say everything, such as COPY.
 */
export async function captureHeard({ messages, ...options }: HeardRequest): Promise<Capture> {
  const { unconnected } = await loadOffline();
  const recorder = new Recorder({ ...options, client: unconnected(undefined), reads: undefined, rowCount: 0 });
  try {
    for (const message of messages) await recorder.send(message);
  } catch (error) {
    if (recorder.failure === undefined) throw error;
  }
  const statements = recorder.statements.filter(({ effect }) => effect !== 'read');
  return { statements, exactness: recorder.failure === undefined ? 'exact' : 'opaque', reason: recorder.failure };
}
