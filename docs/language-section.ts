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
  PAUSE_MESSAGE,
  PARAM,
  PIPELINE,
  RETRY,
  SCHEDULE,
  STEP,
  STRATEGY,
} from '../language/grammar.ts';
import {
  SEARCH,
  SEARCH_BUDGET,
  SEARCH_PARAMETER,
  SEARCH_SCHEDULER,
} from '../language/search-grammar.ts';
import { code, renderDefault, table } from './tables.ts';

/** The top-level keys, and those of the parts that have no section of their own. */
export function renderFile(): string {
  return [
    keysTable(PIPELINE),
    'Keys of `defaults`:',
    keysTable(DEFAULTS),
    'Keys of `on`, of one of its schedules, and of `pause`:',
    ...[ON, SCHEDULE, PAUSE_MESSAGE].map(keysTable),
  ].join('\n\n');
}

export function renderParam(): string {
  return keysTable(PARAM);
}

export function renderStep(): string {
  return [
    keysTable(STEP),
    'Keys of `strategy`, see [matrix](#matrix) and [search](#search):',
    keysTable(STRATEGY),
    'Keys of `strategy.search`, [see below](#search):',
    keysTable(SEARCH),
    'Keys of each of its `parameters`, of its `scheduler` and of its `budget`:',
    ...[SEARCH_PARAMETER, SEARCH_SCHEDULER, SEARCH_BUDGET].map(keysTable),
    'Keys of `retry`:',
    keysTable(RETRY),
    'Keys of `cache`, [see below](#cache):',
    keysTable(CACHE),
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
