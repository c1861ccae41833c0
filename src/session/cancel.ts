import { connect, type Socket } from 'node:net';
import type { Wire } from './wire.js';

const cancelRequestCode = 80877102; // PostgreSQL documentation, 55.7 Message Formats: CancelRequest

/**
 * Asks the server from the side to cancel what it runs for `wire`: a packet, not a login, so it works when connections are used up,
 * and through PgBouncer. It travels without TLS, also where the session does not: who reads along can cancel what this session runs, and can do
 * nothing else; what takes TLS only (PostgreSQL itself does not, some proxies do) does not hear it, and the statement runs on. Resolves when the server has closed the socket, which it does after it has signalled the backend.
 */
export async function requestCancel(wire: Wire, withinMs = 1_000): Promise<void> {
  const { host, port } = wire.client;
  const packet = Buffer.alloc(16);
  [16, cancelRequestCode, wire.processId, wire.secretKey].forEach((value, index) => packet.writeInt32BE(value, index * 4));
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  socket.setTimeout(withinMs, () => socket.destroy());
  // No end of ours: PgBouncer takes it for a goodbye, closes at once, and the cancel that it passes on late hits the next statement.
  socket.once('connect', () => socket.write(packet));
  await closed(socket);
}

async function closed(socket: Socket): Promise<void> {
  // An error here means that there is no server left to cancel anything on; what follows finds that out by itself.
  socket.on('error', () => undefined);
  socket.resume();
  await new Promise((resolve) => socket.once('close', resolve));
}
