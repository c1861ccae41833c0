import type { Answer, Message, Sending, Session } from '../session/index.js';
import type { Step } from '../plan.js';
import { lineAt, placeInStack } from '../source/index.js';
import type { SendPart, StepConnection } from '../step/index.js';
import type { Applying } from './applying.js';

/** The step that sends, and its connection. */
interface Sender {
  readonly step: Step;
  readonly connection: StepConnection;
}

interface Following {
  readonly around?: (message: Message, send: SendPart) => Promise<Answer>;
  readonly onStream?: (text: string) => void;
}

/** What makes a connection followed, where somebody follows the session. `sender` gives undefined for what no migration sends. */
export function followed({ session }: Applying, sender: () => Sender | undefined): Following {
  const { follower } = session;
  if (!follower) return {};
  return {
    around: async (message, send) => {
      const from = sender();
      return await (from ? follower.around(sendingOf(session, from, { message, send })) : send(message));
    },
    onStream: (text) => {
      const from = sender();
      if (from) follower.onStream(from.step.name, text);
    },
  };
}

function sendingOf(
  { wire }: Session,
  { step, connection }: Sender,
  { message, send }: { readonly message: Message; readonly send: SendPart },
): Sending {
  const { name, code, migration } = step;
  const before = connection.offset;
  const stack = message['builtAt'] instanceof Error ? (message['builtAt'].stack ?? '') : '';
  const placeOf = (offset: number) => {
    if (typeof code !== 'function') return `${code.file}:${lineAt(code.text, before + offset + 1)}`;
    return migration.file && placeInStack(stack, migration.file);
  };
  return { migration: name, message, transaction: connection.transaction, wire, send, placeOf };
}
