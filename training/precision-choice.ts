import type { TrainingArguments } from './arguments.ts';
import type { Precision } from './models/precision.ts';

/** The precision of matrix products that `bf16` and `fp16` ask for. */
export function precisionOf({ bf16, fp16 }: TrainingArguments): Precision {
  if (bf16) return 'bfloat16';
  return fp16 ? 'float16' : 'float32';
}
