export { captureMigration, type Capture, type CaptureRequest } from './capture.js';
export { captureHeard, type HeardRequest } from './heard.js';
export type { CapturedStatement } from './recorder.js';
