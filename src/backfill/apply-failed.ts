/** What the code of a backfill threw, or gave: no value of a row is in the message. */
export class ApplyFailed extends Error {}

/** The code took longer than a batch may, with its rows locked. */
export class ApplyTooSlow extends Error {}
