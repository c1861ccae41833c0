import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { afterFile } from './cleanup.js';
import { ClientStream, sqlOf, type Message } from './wire.js';

export interface Rewriting {
  /** Messages whose SQL contains this ... */
  readonly in: string;
  /** ... get the last `from` of it replaced. */
  readonly from: string;
  readonly to: string;
}

/** A URL that leads to the server through a proxy, which changes what a client says. Closed after the file's tests. */
export async function startRewritingProxy(url: string, rewriting: Rewriting): Promise<string> {
  const target = new URL(url);
  const listener = createServer((client) => {
    const server = connect(Number(target.port), target.hostname);
    const messages = new ClientStream();
    client.on('data', (chunk: Buffer) => {
      for (const message of messages.push(chunk)) server.write(rewrite(message, rewriting));
    });
    server.pipe(client);
    client.on('close', () => server.destroy()).on('error', () => server.destroy());
    server.on('close', () => client.destroy()).on('error', () => client.destroy());
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  afterFile(async () => await new Promise((resolve) => listener.close(() => resolve())));
  return url.replace(/@[^/]*\//, `@127.0.0.1:${(listener.address() as AddressInfo).port}/`);
}

function rewrite(message: Message, { in: text, from, to }: Rewriting): Buffer {
  const sql = sqlOf(message);
  const at = sql.lastIndexOf(from);
  if (message.type !== 'Q' || !sql.includes(text) || at < 0) return message.bytes;
  const changed = Buffer.from(`${sql.slice(0, at)}${to}${sql.slice(at + from.length)}\0`);
  const head = Buffer.alloc(5);
  head.write('Q');
  head.writeInt32BE(changed.length + 4, 1);
  return Buffer.concat([head, changed]);
}
