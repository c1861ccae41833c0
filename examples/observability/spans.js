// A boot as OpenTelemetry spans: one for the boot, one for each of its phases, one for each migration. Environment: DATABASE_URL.
// Here they are printed; in a service the exporter of its SDK takes them.
import { tracingChannel } from 'node:diagnostics_channel';
import { context, SpanStatusCode, trace } from '@opentelemetry/api';
import { BasicTracerProvider, ConsoleSpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { ensureMigrated } from 'ensure-migrated';

const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(new ConsoleSpanExporter())] });
const tracer = provider.getTracer('ensure-migrated');

const boots = new Map(); // by run
const steps = new Map();
const phases = new WeakMap(); // by message

const below = (span) => (span ? trace.setSpan(context.active(), span) : context.active());

function end(span, error) {
  if (error) span?.setStatus({ code: SpanStatusCode.ERROR, message: error });
  span?.end();
}

tracingChannel('ensure-migrated').subscribe({
  start: (message) => void phases.set(message, tracer.startSpan(message.phase, {}, below(boots.get(message.run)))),
  end() {},
  asyncStart() {},
  error() {}, // asyncEnd comes after it, with the error in the message
  asyncEnd: (message) => end(phases.get(message), message.error?.code),
});

/** The events say what the channel does not: where a boot begins and ends, and each migration. */
function onProgress({ event, run, ...fields }) {
  if (event === 'boot.started') boots.set(run, tracer.startSpan('boot', { attributes: { mode: fields.mode } }));
  if (event === 'step.started') {
    const attributes = { 'migration.name': fields.migration, 'migration.step': fields.step, 'migration.of': fields.of };
    steps.set(run, tracer.startSpan(`migrate ${fields.migration}`, { attributes }, below(boots.get(run))));
  }
  if (event === 'step.applied' || event === 'step.failed' || event === 'step.retried') end(steps.get(run), fields.code);
  if (event === 'boot.ready' || event === 'boot.failed') end(boots.get(run), fields.code);
}

try {
  const { status } = await ensureMigrated({ application: { name: 'notes-spans' }, logger: false, onProgress });
  console.log(`The database is ready: ${status}.`);
} catch (error) {
  console.error(error.message);
  process.exitCode = error.exitCode ?? 1;
} finally {
  await provider.shutdown();
}
