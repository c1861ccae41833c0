import { resolveConfig, type Options } from '../config/index.js';
import { writeRevision, type Revision, type RevisionOptions } from '../revision/index.js';

/**
 * Writes a new migration with an empty `up` and `down`, named so that it sorts after all others, and warns of a message that says nothing. Needs
 * no database. Throws EM_CONFIG_INVALID, before anything is written, and EM_MIGRATION_INVALID for files that are not in order.
 */
export async function revision(options: Options, asked: RevisionOptions): Promise<Revision> {
  return await writeRevision(resolveConfig({ ...options, mode: 'off' }).migrations, asked);
}
