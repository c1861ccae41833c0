export { captureMigration, type Capture, type CaptureRequest } from './capture.js';
export type { CapturedStatement } from './recorder.js';
