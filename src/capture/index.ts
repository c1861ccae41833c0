export { captureMigration, type Capture, type CaptureRequest } from './capture.js';
export { captureHeard } from './heard.js';
export type { CapturedStatement } from './recorder.js';
