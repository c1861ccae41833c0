import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { ClientStream } from '../support/wire.js';

/** When a process dies, counted in messages of all its connections: before the server has this one, or right after, with its answer lost. */
export interface Death {
  readonly atMessage: number;
  readonly when: 'before' | 'after';
}

export interface SeveringProxy extends AsyncDisposable {
  readonly url: string;
  readonly messageCount: number;
  readonly severed: boolean;
}

/**
 * The server sees of a process that dies no more than this: its connections end, all at once, and nothing comes from it any more. Without a
 * death it only counts.
 */
export async function startSeveringProxy(url: string, death: Death | undefined, onSevered: () => void): Promise<SeveringProxy> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let [messageCount, severed] = [0, false];
  const sever = () => {
    severed = true;
    onSevered();
    for (const socket of sockets) socket.destroy();
  };
  const listener = createServer((client) => {
    if (severed) return void client.destroy();
    const server = connect(Number(target.port), target.hostname).setNoDelay();
    client.setNoDelay(); // else each message waits for the acknowledgement of the one before
    const messages = new ClientStream();
    for (const [one, other] of [[client, server] as const, [server, client] as const]) {
      sockets.add(one);
      one.on('error', () => undefined).on('close', () => (sockets.delete(one), other.destroy()));
    }
    client.on('data', (chunk: Buffer) => {
      for (const { type, bytes } of messages.push(chunk)) {
        const isLast = (type === 'Q' || type === 'P') && ++messageCount === death?.atMessage;
        if (isLast && death.when === 'before') return sever();
        server.write(bytes, () => isLast && sever());
        if (isLast) return;
      }
    });
    server.on('data', (chunk: Buffer) => void client.write(chunk));
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  return {
    url: url.replace(/@[^/]*\//, `@127.0.0.1:${(listener.address() as AddressInfo).port}/`),
    get messageCount() {
      return messageCount;
    },
    get severed() {
      return severed;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}
