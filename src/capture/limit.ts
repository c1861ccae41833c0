import type { Call } from '../call.js';
import type { StepConnection } from '../step/index.js';
import type { Recorder } from './recorder.js';

interface Limited {
  readonly call: Call;
  readonly recorder: Recorder;
  readonly connection: StepConnection;
}

/**
 * Waits for a migration's body until no more can be known, it has sent nothing for `timeouts.silenceMs`, or we are told to stop; then it is
 * left behind.
 */
export async function limited({ call, recorder, connection }: Limited, body: () => Promise<unknown>): Promise<void> {
  call.stop.throwIfAborted();
  const { silenceMs } = call.config.timeouts;
  let interrupt: (reason: unknown) => void = () => undefined;
  const interruption = new Promise<never>((_, reject) => (interrupt = reject));
  recorder.onFailure = () => interrupt(new Error(recorder.failure));
  const onStop = () => interrupt(call.stop.reason);
  const look = () => {
    if (recorder.asking || performance.now() - connection.activeAt < silenceMs) return;
    recorder.fail(`it has not sent a statement for ${silenceMs} ms, and has not ended`);
  };
  const timer = setInterval(look, Math.min(silenceMs / 4, 1_000));
  call.stop.addEventListener('abort', onStop, { once: true });
  const running = body();
  running.catch(() => undefined); // when it is left behind nobody else listens
  try {
    await Promise.race([running, interruption]);
  } finally {
    clearInterval(timer);
    call.stop.removeEventListener('abort', onStop);
  }
}
