/** A change of the fixture by hand, what takes it back, what the difference must say (no more and no less), and the first major version that has it. */
export type Row = readonly [change: string, undo: string, expected: string | readonly string[], since?: number];
