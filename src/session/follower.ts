import type { Message, Answer, Wire } from './wire.js';

/** Hears a statement before it is sent, as the migration wrote it: what rides before it, and its transaction, are left out. */
export type Hear = (text: string, values: readonly unknown[] | undefined) => void;

/** Follows what migrations send, message by message, and may look at the session in between. */
export interface Follower {
  /** Stands around a message: sends it, in one or in parts, and gives what came back, or throws that. */
  around(sending: Sending): Promise<Answer>;
  /** Hears of a cursor, a stream or COPY before it takes the connection. */
  onStream(migration: string, text: string): void;
}

/** A message of a migration on its way to the server. */
export interface Sending {
  readonly migration: string;
  readonly message: Message;
  /** `transaction`: a BEGIN may still ride before the next thing that is sent. `none`: what the status says is so. */
  readonly transaction: 'transaction' | 'none';
  /** For what has to pass the migration's own connection by. */
  readonly wire: Pick<Wire, 'send' | 'status' | 'lost'>;
  /** Sends it, or a part of it that begins after so many characters, or something else in its place in the session. */
  readonly send: (message: Message, offset?: number) => Promise<Answer>;
  /** `file:line` of what stands after so many characters of the message; the file alone where no more is known. */
  readonly placeOf: (offset: number) => string | undefined;
}
