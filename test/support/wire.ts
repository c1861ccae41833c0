/** One message of PostgreSQL's protocol, bytes untouched. */
export interface Message {
  /** `startup`, `ssl`, `gss`, `cancel`, or the letter of the type. */
  readonly type: string;
  readonly bytes: Buffer;
}

const firstMessages = new Map([
  [80877102, 'cancel'],
  [80877103, 'ssl'],
  [80877104, 'gss'],
]);

/** Cuts the client's stream into messages. */
export class ClientStream {
  #rest: Buffer = Buffer.alloc(0);
  #started = false;

  push(chunk: Buffer): Message[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const messages: Message[] = [];
    for (let message = this.#next(); message !== undefined; message = this.#next()) messages.push(message);
    return messages;
  }

  #next(): Message | undefined {
    const header = this.#started ? 1 : 0; // the first message has no letter
    const bytes = take(this.#rest, header);
    if (bytes === undefined) return undefined;
    this.#rest = this.#rest.subarray(bytes.length);
    if (this.#started) return { type: letterOf(bytes), bytes };
    const type = firstMessages.get(bytes.readInt32BE(4)) ?? 'startup';
    this.#started = type === 'startup';
    return { type, bytes };
  }
}

/** Cuts the server's stream into messages. */
export class ServerStream {
  #rest: Buffer = Buffer.alloc(0);

  /** `bare`: the next byte is the answer to a request for TLS, which is no message. */
  push(chunk: Buffer, bare: boolean): Message[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const messages: Message[] = [];
    if (bare) messages.push({ type: 'tls', bytes: this.#cut(1) });
    for (let bytes = take(this.#rest, 1); bytes !== undefined; bytes = take(this.#rest, 1)) {
      messages.push({ type: letterOf(bytes), bytes: this.#cut(bytes.length) });
    }
    return messages;
  }

  #cut(length: number): Buffer {
    const bytes = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return bytes;
  }
}

/** What a message says as SQL: the text of a Query or a Parse, else ''. */
export function sqlOf({ type, bytes }: Message): string {
  if (type === 'Q') return bytes.toString('utf8', 5, bytes.length - 1);
  if (type !== 'P') return '';
  const start = bytes.indexOf(0, 5) + 1; // after the statement's name
  return bytes.toString('utf8', start, bytes.indexOf(0, start));
}

/** An ErrorResponse with which a server turns a connection away. */
export function errorResponse(sqlState: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${sqlState}\0M${message}\0\0`);
  const head = Buffer.alloc(5);
  head.write('E');
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

function take(buffer: Buffer, header: 0 | 1): Buffer | undefined {
  if (buffer.length < header + 4) return undefined;
  const length = header + buffer.readInt32BE(header);
  return buffer.length < length ? undefined : buffer.subarray(0, length);
}

function letterOf(bytes: Buffer): string {
  return String.fromCharCode(bytes[0] ?? 0);
}
