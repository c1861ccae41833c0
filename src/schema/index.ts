export { isNamed, restrictTo, type Coverage } from './coverage.js';
export { diffSchema, keyOf, renderChange, type Change } from './diff.js';
export { compressLines, expandLines, fingerprint, isSameSchema, type Fingerprint } from './fingerprint.js';
export { mendOf } from './mend.js';
export { compareSnapshots, renderSnapshot } from './snapshot.js';
export { readSchema, type Line, type Query, type Schema } from './inspect.js';
