/** A URL of the same server with another database, whose name needs no quoting. Pure. */
export function urlTo(url: string, name: string): string {
  if (url.startsWith('/')) return `${url.split(' ', 1).join()} ${name}`; // the directory of a socket, then the database
  if (!url.startsWith('socket:')) return url.replace(/^([^:]+:\/\/[^/?#]*)(?:\/[^?#]*)?/, `$1/${name}`);
  const socket = new URL(url);
  socket.searchParams.set('db', name);
  return socket.href;
}
