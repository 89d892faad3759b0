import type { z } from 'zod';
import type { AnyStep } from '../../activities/catalog.ts';
import type { StepFile } from '../../activities/custom/step-source.ts';
import { kindName } from '../../language/catalog.ts';
import { describeSchema, valueSchema, type ValueSchema } from '../../language/schema.ts';
import { suggestion } from '../../language/suggestion.ts';
import type { JsonValue } from '../../plan/json.ts';
import { CommandError } from '../command-error.ts';
import { printJson, printLines, table } from '../output.ts';
import { catalogOf } from './step-catalog.ts';

interface KindsFlags {
  readonly steps?: readonly StepFile[];
  readonly json?: boolean;
}

/**
 * `retune kinds [KIND]`: every step kind with its summary, or one with its inputs and outputs.
 * @throws CommandError when there is no such kind, UnreadableFile for a file that --steps names
 */
export async function kinds(
  wanted: string | undefined,
  { steps, json }: KindsFlags,
): Promise<number> {
  const catalog = await catalogOf(steps);
  const chosen = wanted === undefined ? catalog : kindsNamed(wanted, catalog);
  if (json) printJson(chosen.map(describeKind));
  else if (wanted === undefined) {
    printLines(table(chosen.map((step) => [kindName(step), step.summary])));
  } else printLines(chosen.map(renderKind).join('\n\n').split('\n'));
  return 0;
}

function kindsNamed(wanted: string, catalog: readonly AnyStep[]): readonly AnyStep[] {
  const found = catalog.filter((step) => [step.kind, kindName(step)].includes(wanted));
  if (found.length > 0) return found;
  const known = catalog.map(wanted.includes('@') ? kindName : ({ kind }) => kind);
  throw new CommandError(`no step kind '${wanted}'; ${suggestion(wanted, known)}`);
}

interface Value {
  readonly type: string;
  readonly description?: string;
}
interface Input extends Value {
  readonly required: boolean;
  readonly default?: JsonValue;
}

function describeKind(step: AnyStep) {
  const { kind, version, revision, source, effect, role, summary } = step;
  return {
    ...{ kind, version, revision, ...(source !== undefined && { source }) },
    ...{ effect, role, summary, inputs: inputsOf(step), outputs: outputsOf(step) },
  };
}

function inputsOf(step: AnyStep): Readonly<Record<string, Input>> {
  const { properties = {}, required = [] } = valueSchema(step.with, 'input');
  const shape: Readonly<Record<string, z.ZodType>> = step.with.shape;
  const built = Object.entries(properties).filter(([, { notBuilt }]) => notBuilt === undefined);
  return Object.fromEntries(
    built.map(([name, schema]) => [
      name,
      {
        ...describe(schema, shape[name]?.description),
        required: required.includes(name),
        ...(schema.default !== undefined && { default: schema.default }),
      },
    ]),
  );
}

function outputsOf({ outputs }: AnyStep): Readonly<Record<string, Value>> {
  return Object.fromEntries(
    Object.entries(outputs).map(([name, schema]) => [
      name,
      describe(valueSchema(schema, 'output'), schema.description),
    ]),
  );
}

function describe(schema: ValueSchema, description: string | undefined): Value {
  return { type: describeSchema(schema), ...(description !== undefined && { description }) };
}

function renderKind(step: AnyStep): string {
  const inputs = Object.entries(inputsOf(step)).map(([name, input]) => [
    `  ${name}`,
    `${input.type}, ${input.required ? 'required' : defaultOf(input)}`,
    input.description ?? '',
  ]);
  const outputs = Object.entries(outputsOf(step)).map(([name, { type, description = '' }]) => [
    `  ${name}`,
    type,
    description,
  ]);
  const { summary, effect, role } = step;
  return [
    `${kindName(step)}  (effect ${effect}, role ${role})`,
    summary,
    'inputs:',
    ...table(inputs),
    'outputs:',
    ...table(outputs),
  ].join('\n');
}

function defaultOf({ default: value }: Input): string {
  return value === undefined ? 'optional' : `default ${JSON.stringify(value)}`;
}
