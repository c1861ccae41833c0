/** Counts the position in the way of the migration's author, from the start of the statement; the server does from that of the message. */
export function shiftPosition(error: unknown, by: number): unknown {
  const position = Number((error as { position?: string } | null)?.position);
  if (position > by) (error as { position: string }).position = String(position - by);
  return error;
}

/** knex writes the SQL into the message of the very object that pg threw: keep what the server said. */
export function snapshotOf(error: unknown): Error {
  const original = error instanceof Error ? error : new Error(String(error));
  return Object.assign(Object.create(Object.getPrototypeOf(original) as object) as Error, original, { message: original.message });
}
