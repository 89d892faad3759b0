import { DefaultLogger, type LogLevel } from '@temporalio/worker';
import pino, { type Logger } from 'pino';
import type { Redactor } from '../activities/redactor.ts';

const LEVELS = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
} as const satisfies Record<LogLevel, string>;

/** The worker's log, on stderr. Neither it nor what else the process prints shows a secret. */
export function workerLog(redactor: Redactor): Logger {
  for (const stream of [process.stdout, process.stderr]) redactOutput(stream, redactor);
  const destination = pino.destination({ dest: 2, sync: true });
  const write = (line: string): unknown => destination.write(redactor.text(line));
  return pino({ base: { pid: process.pid } }, { write });
}

/** What a step's own code prints comes here by way of console: a text, or a line, at a time. */
function redactOutput(stream: NodeJS.WriteStream, redactor: Redactor): void {
  const write = stream.write.bind(stream) as (...args: readonly unknown[]) => boolean;
  stream.write = (chunk: string | Uint8Array, ...rest: readonly unknown[]): boolean => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    const redacted = redactor.text(text);
    return write(redacted === text ? chunk : redacted, ...rest);
  };
}

/** Temporal's own log lines, from warnings up, among the worker's. */
export function temporalLogger(log: Logger): DefaultLogger {
  return new DefaultLogger('WARN', ({ level, message, meta }) => {
    const { error, ...rest } = (meta ?? {}) as Record<string, unknown>;
    const failure = error instanceof Error ? { error: error.message } : {};
    log[LEVELS[level]]({ ...rest, ...failure }, message);
  });
}
