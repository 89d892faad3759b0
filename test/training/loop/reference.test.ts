import { readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { trainingArgumentsSchema } from '../../../training/arguments.ts';
import { dataOrder } from '../../../training/random/data-order.ts';
import { train } from '../../../training/train.ts';
import { openSafetensors } from '../../../training/weights/safetensors-file.ts';
import { temporaryFolder } from './small-training.ts';

interface Reference {
  readonly examples: readonly { readonly input_ids: number[]; readonly label: number }[];
  readonly training: {
    readonly settings: {
      readonly learning_rate: number;
      readonly betas: readonly [number, number];
      readonly epsilon: number;
      readonly weight_decay: number;
      readonly max_grad_norm: number;
      readonly warmup_steps: number;
      readonly max_steps: number;
    };
    readonly steps: readonly {
      readonly rows: number[];
      readonly loss: number;
      readonly grad_norm: number;
      readonly learning_rate: number;
    }[];
  };
}

async function tensorsOf(path: string): Promise<Map<string, Float32Array>> {
  const file = await openSafetensors(path);
  const tensors = new Map<string, Float32Array>();
  for (const tensor of file.tensors) {
    const values = new Float32Array(tensor.byteLength / 4);
    await file.read(tensor, values);
    tensors.set(tensor.name, values);
  }
  await file.close();
  return tensors;
}

/** Relative to the larger of the two numbers' size and `scale`. */
function distance(a: number, b: number, scale: number): number {
  return Math.abs(a - b) / Math.max(Math.abs(b), scale);
}

test.each([
  { fixture: 'gpt2-reference', batch: 4, accumulation: 1 },
  { fixture: 'gpt2-reference', batch: 1, accumulation: 4 },
  { fixture: 'bert-reference', batch: 4, accumulation: 1 },
  { fixture: 'bert-reference', batch: 2, accumulation: 2 },
])(
  "ten steps of $fixture are torch's: losses, gradient norms, learning rates, weights ($batch × $accumulation)",
  async ({ fixture, batch, accumulation }) => {
    const folder = fileURLToPath(new URL(`../../fixtures/${fixture}/`, import.meta.url));
    const reference = JSON.parse(await readFile(`${folder}reference.json`, 'utf8')) as Reference;
    const { settings, steps } = reference.training;
    // Rows placed so that the epoch's order visits them as the reference did.
    const visited = steps.flatMap((step) => step.rows);
    const order = dataOrder({ rows: visited.length, seed: 42, epoch: 0 });
    const examples = Array.from(
      { length: visited.length },
      (_, row) => reference.examples[visited[order.indexOf(row)]!]!,
    );
    const offsets = [0];
    for (const { input_ids } of examples) offsets.push(offsets.at(-1)! + input_ids.length);
    const outputDirectory = await temporaryFolder();
    onTestFinished(() => rm(outputDirectory, { recursive: true }));
    const result = await train({
      modelFiles: {
        'config.json': `${folder}config.json`,
        'model.safetensors': `${folder}model.safetensors`,
      },
      trainRows: {
        ids: examples.map((_, row) => `row-${row}`),
        inputIds: Int32Array.from(examples.flatMap((example) => example.input_ids)),
        offsets: Int32Array.from(offsets),
        labels: Int32Array.from(examples, (example) => example.label),
        values: null,
        valuesPerRow: 0,
        completionMask: null,
      },
      labels: null,
      padTokenId: 0,
      args: trainingArgumentsSchema.parse({
        per_device_train_batch_size: batch,
        gradient_accumulation_steps: accumulation,
        num_train_epochs: 1,
        learning_rate: settings.learning_rate,
        weight_decay: settings.weight_decay,
        adam_beta1: settings.betas[0],
        adam_beta2: settings.betas[1],
        adam_epsilon: settings.epsilon,
        max_grad_norm: settings.max_grad_norm,
        warmup_steps: settings.warmup_steps,
        logging_steps: 1,
      }),
      threads: 2,
      outputDirectory,
    });
    expect(result.steps).toBe(settings.max_steps);
    for (const [index, row] of result.history.entries()) {
      if (!('loss' in row)) continue;
      const expected = steps[index]!;
      expect(row.learning_rate).toBeCloseTo(expected.learning_rate, 15);
      expect(distance(row.loss, expected.loss, 0)).toBeLessThan(1e-6);
      expect(distance(row.grad_norm, expected.grad_norm, 0)).toBeLessThan(1e-6);
    }
    const trained = await tensorsOf(result.modelFiles['model.safetensors']!);
    const expected = await tensorsOf(`${folder}trained.safetensors`);
    expect([...trained.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [name, values] of trained) {
      // Softmax does not see a bias of the keys: its gradient is 0 but for rounding, of which AdamW
      // makes steps as large as the learning rate.
      const isKeyBias = (i: number): boolean =>
        name.endsWith('.key.bias') ||
        (name.endsWith('c_attn.bias') && Math.floor((3 * i) / values.length) === 1);
      const worst = values.reduce(
        (most, value, i) =>
          isKeyBias(i) ? most : Math.max(most, distance(value, expected.get(name)![i]!, 1)),
        0,
      );
      expect({ name, isClose: worst < 5e-7, worst }).toMatchObject({ name, isClose: true });
    }
  },
);
