import type { TrainingArguments } from './arguments.ts';
import { readSgdArguments } from './arguments/optimizer-arguments.ts';
import type { OptimizerOptions } from './optimizers/optimizer-options.ts';

/** The optimizer that `optim` and its arguments name. */
export function optimizerOptions(args: TrainingArguments): OptimizerOptions {
  const { weight_decay: weightDecay } = args;
  switch (args.optim) {
    case 'adamw_torch':
    case 'adamw_torch_fused':
      return {
        ...{ kind: 'adamw', weightDecay },
        ...{ beta1: args.adam_beta1, beta2: args.adam_beta2, epsilon: args.adam_epsilon },
      };
    case 'adafactor':
      return { kind: 'adafactor', weightDecay };
    case 'sgd': {
      const options = readSgdArguments(args.optim_args);
      if (typeof options === 'string') throw new Error(`internal: optim_args: ${options}`);
      return { kind: 'sgd', weightDecay, ...options };
    }
  }
}
