/** Whether code that is older than a migration can run on what it leaves. */
export { breaksOldCode } from './breaks.js';
