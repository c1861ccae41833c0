/** Something with a `submit` method of its own: a cursor, a query stream, a COPY stream. */
export interface Submittable {
  readonly text?: string;
  /** Of a query stream, which has no text of its own. */
  readonly cursor?: { readonly text?: string };
  submit(connection: unknown): unknown;
  handleError?(error: unknown, connection: unknown): void;
  destroy?(): void;
  close?(): unknown;
  on?(event: 'error', listener: (error: unknown) => void): void;
  listenerCount?(event: 'error'): number;
}

/** The SQL of a cursor or stream. */
export function streamText({ text, cursor }: Submittable): string {
  return text ?? cursor?.text ?? 'a stream';
}

export function isSubmittable(value: unknown): value is Submittable {
  return typeof (value as { submit?: unknown } | null)?.submit === 'function';
}
