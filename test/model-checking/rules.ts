/** The rules of the protocol; a test takes one away, and sees what comes of it. */
export const asItIs = {
  /** What was read before the lock is read again with it, and once more with the claim. */
  rechecks: true,
  /** A migration and its history row are one commit. */
  recordsWithIt: true,
  /** Outside a transaction each statement is announced before it is sent. */
  announces: true,
  /** Who writes proves that the lock is still his. */
  provesPossession: true,
  /** So does who says what became of a migration that has failed outside a transaction. */
  provesPossessionOfFailed: true,
  /** The lock is free when the server ends the session that has it, not when somebody takes its owner for dead. */
  endsWithSession: true,
  /** The lock row that a dead run has left is taken over. */
  reclaims: true,
};
export type Rules = typeof asItIs;
