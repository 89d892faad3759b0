import { asyncLocalStorage } from '@temporalio/activity';
import { DefaultLogger, type LogLevel } from '@temporalio/worker';
import pino, { type Logger } from 'pino';
import type { Redactor } from '../activities/redactor.ts';
import { stepOfActivity } from '../plan/names.ts';
import { logFields } from './worker/step-observer.ts';

const LEVELS = {
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  ERROR: 'error',
} as const satisfies Record<LogLevel, string>;

/** The worker's log, on stderr; what is logged within a step names its run and step. Neither it nor what else the process prints shows a secret. */
export function workerLog(redactor: Redactor): Logger {
  for (const stream of [process.stdout, process.stderr]) redactOutput(stream, redactor);
  const destination = pino.destination({ dest: 2, sync: true });
  const write = (line: string): unknown => destination.write(redactor.text(line));
  const mixin = (): object => {
    const context = asyncLocalStorage.getStore();
    return context === undefined ? {} : logFields(context);
  };
  return pino({ base: { pid: process.pid }, mixin }, { write });
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
    const { error, workflowId, activityId, ...rest } = (meta ?? {}) as Record<string, unknown>;
    const failure = error instanceof Error ? { error: error.message } : {};
    const ids = {
      ...(workflowId !== undefined && { run: workflowId }),
      ...(typeof activityId === 'string' && { step: stepOfActivity(activityId) }),
    };
    log[LEVELS[level]]({ ...rest, ...ids, ...failure }, message);
  });
}
