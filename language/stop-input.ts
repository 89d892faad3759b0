import type { InputPlace } from '../plan/search/strategy.ts';
import { valueSchema } from './schema.ts';
import type { StepSignature } from './step-declaration.ts';

/** What a kind that can stop before its end, and go on later, has for that. */
export interface StopPlace {
  /** The input that says after which optimizer step it stops for now. */
  readonly stopInput: InputPlace;
  /** The input that says how many there are in all. */
  readonly lengthInput: InputPlace;
}

/** Undefined for a kind that always goes on to its end. */
export function stopPlace(signature: Pick<StepSignature, 'with'>): StopPlace | undefined {
  const { properties = {} } = valueSchema(signature.with, 'input');
  const [name, schema] =
    Object.entries(properties).find(([, { stopsWithin }]) => stopsWithin !== undefined) ?? [];
  if (name === undefined || schema?.stopsWithin === undefined) return undefined;
  return { stopInput: [name], lengthInput: schema.stopsWithin.split('.') };
}
