import type { Answer, Hear, Message, Wire } from '../session/index.js';

/** Sends a message, or a part of it that begins after so many characters of its text. */
export type SendPart = (message: Message, offset?: number) => Promise<Answer>;

/** What a StepConnection needs of the wire behind it. */
export type StepWire = Pick<Wire, 'client' | 'send' | 'exclusively' | 'stream' | 'status' | 'tags' | 'lost'>;

export interface StepConnectionOptions {
  /** `transaction`: knex's BEGIN, COMMIT and ROLLBACK are ours to send. `none`: every statement goes as it is. */
  readonly transaction: 'transaction' | 'none';
  /** Stands around each statement that the migration sends; answers with `skip` when the server need not see it. */
  readonly around?: ((message: Message, send: SendPart) => Promise<Answer | 'skip'>) | undefined;
  /** What is sent before a stream, which cannot be sent a second time. */
  readonly beforeStream?: (text: string) => Promise<string>;
  readonly onStream?: ((text: string) => void) | undefined;
  readonly hear?: Hear | undefined;
  /** Asked before each statement that the migration sends, in their order; what it throws refuses that one and all that come after it. */
  readonly admit?: ((text: string) => Promise<void>) | undefined;
}

/** For what the server need not see. */
export function emptyResult(command: string) {
  return { command, rowCount: 0, rows: [], fields: [], oid: 0 };
}
