import { expect, test } from 'vitest';
import { catalog } from '../../activities/catalog.ts';
import { check } from '../../language/compile.ts';

// What `retune check` says of the inputs of train@1, by the declaration that workers have.

const EVALUATED = "eval_dataset: '${{ steps.tokens.outputs.dataset }}'";

/** Diagnostics of a train step with these lines in its `with`, as `severity: message [rule]`. */
function diagnosticsOf(...lines: readonly string[]): readonly string[] {
  const source = `
name: tune
steps:
  data: { uses: download-dataset@1, with: { source: 'file:rows.csv', label: label } }
  base: { uses: download-model@1, with: { source: 'file:model' } }
  tokens:
    uses: tokenize@1
    with:
      dataset: \${{ steps.data.outputs.dataset }}
      tokenizer: \${{ steps.base.outputs.model }}
  tune:
    uses: train@1
    with:
      model: \${{ steps.base.outputs.model }}
      task: text-classification
      train_dataset: \${{ steps.tokens.outputs.dataset }}
${lines.map((line) => `      ${line}\n`).join('')}`;
  return check({ source, sourceName: 'tune.yaml', catalog }).map(
    ({ severity, message, rule }) => `${severity}: ${message} [${rule}]`,
  );
}

test.each([
  { what: 'nothing but what is needed', lines: [] },
  {
    what: 'everything that belongs together',
    lines: [
      EVALUATED,
      'args: { eval_strategy: steps, eval_steps: 10, load_best_model_at_end: true, bf16: false }',
      'early_stopping: { patience: 2 }',
      'class_weights: { negative: 2, positive: 1 }',
      'problem_type: single_label_classification',
      'divergence: off',
      "replay: { dataset: '${{ steps.tokens.outputs.dataset }}', fraction: 0.2 }",
    ],
  },
  { what: 'weights in a list', lines: ['class_weights: [1, 2.5]'] },
  { what: 'balanced weights', lines: ['class_weights: balanced', 'divergence: { factor: 5 }'] },
])('has nothing to say of $what', ({ lines }) => {
  expect(diagnosticsOf(...lines)).toEqual([]);
});

test.each([
  {
    args: 'warmup_ratio: 0.1',
    found: [
      "hint: 'args.warmup_ratio' is an older name; write warmup_steps, which below 1 is a share of all steps [with]",
    ],
  },
  {
    args: 'group_by_length: true, adafactor: true',
    found: [
      "hint: 'args.group_by_length' is an older name; write train_sampling_strategy: group_by_length [with]",
      "hint: 'args.adafactor' is an older name; write optim: adafactor [with]",
    ],
  },
  {
    args: 'output_dir: out',
    found: [
      "error: 'args.output_dir' is 'out', a string; the model is the step's output, and checkpoints are the store's: remove it [with]",
    ],
  },
  {
    args: 'gradient_checkpointing: true',
    found: [
      "error: 'args.gradient_checkpointing' is true; a pass holds a fixed budget of tokens, so activations stay bounded without being computed twice; for less memory use lora or freeze, or a lower max_length: remove it [with]",
    ],
  },
  {
    args: 'learning_rat: 1',
    found: [
      "error: unknown input 'learning_rat' of 'args'; did you mean 'learning_rate'? [unknown-key]",
    ],
  },
  {
    args: 'optim: adamw_bnb_8bit',
    found: [
      "error: 'args.optim' is 'adamw_bnb_8bit', a string; expected one of adamw_torch, adamw_torch_fused, adafactor, sgd [with]",
    ],
  },
  {
    args: 'bf16: true',
    found: [
      "error: 'args.bf16' is true; a CPU computes in float32 here, where half precision is no faster: remove it, or set device to a GPU [with]",
    ],
  },
  {
    args: 'eval_strategy: epoch',
    found: [
      "error: 'args.eval_strategy' is 'epoch', a string; there is no eval_dataset to evaluate: add one, or remove it [with]",
    ],
  },
  {
    args: 'load_best_model_at_end: true, metric_for_best_model: accuracy',
    found: [
      "error: 'args.load_best_model_at_end' is true; there is no eval_dataset to evaluate: add one, or remove it [with]",
      "error: 'args.metric_for_best_model' is 'accuracy', a string; there is no eval_dataset to evaluate: add one, or remove it [with]",
    ],
  },
])('args: { $args }', ({ args, found }) => {
  expect(diagnosticsOf(`args: { ${args} }`)).toEqual(found);
});

test.each([
  {
    lines: ['early_stopping: { patience: 3 }'],
    found: [
      "error: 'early_stopping' is a map; there is no eval_dataset to evaluate: add one, or remove it [with]",
    ],
  },
  {
    lines: [EVALUATED, 'args: { eval_strategy: no }', 'early_stopping: {}'],
    found: [
      "error: 'early_stopping' is a map; it needs evaluations, and args.eval_strategy is 'no': remove one of the two [with]",
    ],
  },
  {
    lines: ['class_weights: balanced', 'problem_type: regression'],
    found: [
      "error: 'class_weights' is 'balanced', a string; a regression has no classes: remove it [with]",
    ],
  },
  {
    lines: ['args: { label_smoothing_factor: 0.1 }', 'problem_type: multi_label_classification'],
    found: [
      "error: 'args.label_smoothing_factor' is 0.1; only one label of several classes can be smoothed: remove it [with]",
    ],
  },
  {
    lines: ['divergence: never'],
    found: ["error: 'divergence' is 'never', a string; expected off or a map [with]"],
  },
  {
    lines: ["replay: { dataset: '${{ steps.data.outputs.dataset }}', fraction: 1 }"],
    found: [
      "error: 'replay.dataset' gets 'steps.data.outputs.dataset', a dataset; expected a tokenized-dataset; write \"${{ steps.tokens.outputs.dataset }}\" [wire]",
      "error: 'replay.fraction' is 1; expected a number above 0 and below 1 [with]",
    ],
  },
])('$lines', ({ lines, found }) => {
  expect(diagnosticsOf(...lines)).toEqual(found);
});
