import type { z } from 'zod';
import {
  CONTEXT_FORMS,
  FUNCTION_FORMS,
  STATUS_FUNCTION_FORMS,
} from '../language/expression-declarations.ts';
import {
  CACHE,
  DEFAULTS,
  ON,
  PARAM,
  PIPELINE,
  RETRY,
  SCHEDULE,
  STEP,
  STRATEGY,
  STRATEGY_KEYS_NOT_BUILT,
} from '../language/grammar.ts';
import { code, renderDefault, table } from './tables.ts';

/** The top-level keys, and those of the parts that have no section of their own. */
export function renderFile(): string {
  return [
    keysTable(PIPELINE),
    'Keys of `defaults`:',
    keysTable(DEFAULTS),
    'Keys of `on`, and of one of its schedules:',
    keysTable(ON),
    keysTable(SCHEDULE),
  ].join('\n\n');
}

export function renderParam(): string {
  return keysTable(PARAM);
}

export function renderStep(): string {
  const ofStrategy = STRATEGY_KEYS_NOT_BUILT.map((key) => `strategy.${key}`);
  const notBuilt = ofStrategy.map(code).join(', ');
  return [
    keysTable(STEP),
    'Keys of `strategy`, [see below](#matrix):',
    keysTable(STRATEGY),
    'Keys of `retry`:',
    keysTable(RETRY),
    'Keys of `cache`, [see below](#cache):',
    keysTable(CACHE),
    `Not built yet, and refused: ${notBuilt}.`,
  ].join('\n\n');
}

export function renderExpressions(): string {
  const functions = Object.values(FUNCTION_FORMS);
  const statusFunctions = Object.values(STATUS_FUNCTION_FORMS);
  return [
    formsTable('context', Object.values(CONTEXT_FORMS).flat()),
    formsTable('function', functions),
    formsTable('in an `if` also', statusFunctions),
  ].join('\n\n');
}

function keysTable(part: z.ZodObject): string {
  const rows = Object.entries(part.shape).map(([key, schema]: [string, z.ZodType]) => [
    code(key),
    renderDefault(schema),
    schema.description ?? '',
  ]);
  return table(['key', 'default', 'meaning'], rows);
}

function formsTable(
  header: string,
  forms: readonly { readonly form: string; readonly description: string }[],
): string {
  return table(
    [header, 'gives'],
    forms.map(({ form, description }) => [code(form), description]),
  );
}
