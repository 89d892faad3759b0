import type { Logger } from 'pino';
import { failsStep } from '../activities/custom/stray-errors.ts';
import { describeError } from './error-report.ts';

/** An error that nobody waits for ends the worker, unless it is a step's. */
export function handleStrayErrors(log: Logger): void {
  const onError = (error: unknown): void => {
    const isOfStep = failsStep(error);
    log[isOfStep ? 'warn' : 'fatal'](describeError(error));
    if (!isOfStep) process.exit(1);
  };
  process.on('uncaughtException', onError);
  process.on('unhandledRejection', onError);
}
