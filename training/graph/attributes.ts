import type { Attributes } from './graph.ts';
import { Mismatch } from './mismatch.ts';

/** An int attribute. */
export function int(attributes: Attributes, name: string): number {
  const attribute = attributes[name];
  if (attribute?.kind !== 'int') throw new Mismatch(`needs an int attribute ${name}`);
  return attribute.value;
}

/** A list-of-int attribute. */
export function ints(attributes: Attributes, name: string): readonly number[] {
  const attribute = attributes[name];
  if (attribute?.kind !== 'ints') throw new Mismatch(`needs an ints attribute ${name}`);
  return attribute.value;
}

/** A float attribute. */
export function float(attributes: Attributes, name: string): number {
  const attribute = attributes[name];
  if (attribute?.kind !== 'float') throw new Mismatch(`needs a float attribute ${name}`);
  return attribute.value;
}
