import { z } from 'zod';

/** A table in Markdown. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(header), line(header.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A value as code; small numbers in scientific notation. */
export function code(value: unknown): string {
  if (typeof value === 'string') return `\`${value}\``;
  const isSmall = typeof value === 'number' && value !== 0 && Math.abs(value) < 1e-3;
  return `\`${isSmall ? value.toExponential() : JSON.stringify(value)}\``;
}

/** The default of an input, `required`, or a dash for none. */
export function renderDefault(schema: z.ZodType): string {
  const given = schema.safeParse(undefined);
  if (!given.success) return 'required';
  const isNothing = given.data === undefined || unwrapped(schema) instanceof z.ZodObject;
  return isNothing ? '–' : code(given.data);
}

/** Without `optional`, `default`, `prefault` and transformations around it. */
export function unwrapped(schema: z.ZodType): z.ZodType {
  if (schema instanceof z.ZodPipe) return unwrapped(schema.def.in as z.ZodType);
  return schema instanceof z.ZodOptional ||
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault
    ? unwrapped(schema.def.innerType as z.ZodType)
    : schema;
}
