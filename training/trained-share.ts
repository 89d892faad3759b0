import type { TrainingEvent } from './training-event.ts';
import { elementsOf } from './models/parameters.ts';
import { STATE_REGIONS, type StateRegion } from './optimizers/training-state.ts';
import type { PreparedTraining } from './training-start.ts';

const BYTES = Float32Array.BYTES_PER_ELEMENT;
/** Whose memory every model needs, or that only a step of several passes uses. */
const OTHERS: readonly string[] = ['parameters', 'passGradients'] satisfies StateRegion[];

/** How much of a model is trained, and the memory that takes. */
export function trainedShare({
  trainable,
  session,
}: PreparedTraining): Extract<TrainingEvent, { readonly kind: 'trainable' }> {
  const count = (specs: readonly { readonly shape: readonly number[] }[]): number =>
    specs.reduce((sum, spec) => sum + elementsOf(spec), 0);
  const trained = count(trainable.parameters);
  const all = trained + count(trainable.frozen);
  const { state } = session;
  const regions = STATE_REGIONS.filter((region) => !OTHERS.includes(region));
  const elements = regions.flatMap((region) =>
    state.tensors.map((tensor) => state.view(region, tensor).length),
  );
  const bytes = BYTES * elements.reduce((sum, length) => sum + length, 0);
  const isPart = trained < all;
  const share = isPart
    ? `${grouped(trained)} of ${grouped(all)} parameters (${percent(trained / all)})`
    : `all ${grouped(all)} parameters`;
  const message = `${share}; their gradients and moments take ${inBinaryUnits(bytes)}`;
  return { kind: 'trainable', message, isPart };
}

function grouped(count: number): string {
  return count.toLocaleString('en-US');
}

function percent(share: number): string {
  const value = 100 * share;
  return `${value < 0.1 ? value.toPrecision(1) : value.toFixed(1)} %`;
}

function inBinaryUnits(bytes: number): string {
  const power = Math.min(3, Math.max(1, Math.floor(Math.log2(bytes) / 10)));
  return `${(bytes / 1024 ** power).toFixed(1)} ${['B', 'KiB', 'MiB', 'GiB'][power]}`;
}
