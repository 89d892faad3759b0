import { defineModel } from '../../../training/model.ts';
import { gradientName } from '../../../training/models/model-graph.ts';
import type { Pass } from '../../../training/packing.ts';
import type { Example } from '../../../training/pass-tensors.ts';
import { relativeDeviation } from '../graph/evaluation.ts';
import {
  examplesOf,
  onePerRow,
  runModel,
  trainingGraph,
  valuesOf,
  type ModelFixture,
  type NamedValues,
} from './model-fixture.ts';

/** How far our float32 numbers may lie from torch's float64 ones, relative to the largest. */
export const TOLERANCE = { logits: 2e-6, loss: 5e-7, gradients: 5e-6 };

/** Differences between two ways to compute the same in float32. */
export const ROUNDING = 2e-6;

export type Change = { readonly [field: string]: unknown };

export interface TrainingRun {
  readonly fixture: ModelFixture;
  /** Fields of config.json that differ from the fixture's. */
  readonly change?: Change;
  readonly examples?: readonly Example[];
  readonly pass?: Pass;
  readonly trainable?: readonly string[];
}

/** Logits, loss and gradients of a fixture's model; one example a row unless a pass is given. */
export function trainOnce(run: TrainingRun): Promise<NamedValues> {
  const { fixture, change, trainable } = run;
  const model = defineModel({ ...fixture.config, ...change });
  const examples = run.examples ?? examplesOf(fixture);
  return runModel({
    model: trainingGraph(model, { ...(trainable && { trainable }) }),
    weights: fixture.weights,
    examples,
    pass: run.pass ?? onePerRow(examples),
    padTokenId: model.padTokenId,
  });
}

/** Deviations from the reference; of the gradients, the worst tensor's. */
export function deviations(
  fixture: ModelFixture,
  outputs: NamedValues,
): Record<keyof typeof TOLERANCE, number> {
  return {
    logits: relativeDeviation(valuesOf(outputs, 'logits'), fixture.logits.flat()),
    loss: relativeDeviation(valuesOf(outputs, 'loss'), [fixture.loss]),
    gradients: worstGradient(fixture, outputs, (name) => valuesOf(fixture.gradients, name)),
  };
}

export function worstGradient(
  { model }: ModelFixture,
  outputs: NamedValues,
  expected: (name: string) => Float32Array,
): number {
  const tensors = model.parameters.map(({ name }) => {
    const [found, wanted] = [valuesOf(outputs, gradientName(name)), expected(name)];
    // Softmax does not see a bias of the keys: its gradient is 0 but for rounding.
    if (!isKeyBias(name)) return relativeDeviation(found, wanted);
    const scale = largest(expected(name.replace(/key|k_lin/, queryOf)));
    return Math.max(...found.map((value, i) => Math.abs(value - (wanted[i] ?? NaN)))) / scale;
  });
  return Math.max(...tensors);
}

function isKeyBias(name: string): boolean {
  return /\.(key|k_lin)\.bias$/.test(name);
}

function queryOf(key: string): string {
  return key === 'key' ? 'query' : 'q_lin';
}

function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
