import type { Built } from '../likeness.js';
import { restrictTo, type Coverage } from '../schema/index.js';

/** What was built without what a model is not about; see {@link restrictTo}. Pure. */
export function coveredBy(coverage: Coverage, built: Built): Built {
  return { ...built, schema: restrictTo(coverage, built.schema) };
}
