/** A real job, and how the other side may compute its effective batch. */
export interface JobCase {
  readonly name: string;
  readonly model: string;
  readonly pad: number;
  /** Of one optimizer step. */
  readonly effective: number;
  /** Trainer's ways to split it: batch, accumulation and what texts are padded to. */
  readonly splits: readonly (readonly [number, number, number | null])[];
  readonly asked: number;
  /** Tweets that are evaluated. */
  readonly evaluated: number;
}

export const JOBS: readonly JobCase[] = [
  {
    ...{ name: 'GPT-2 124M, effective batch 4', model: 'gpt2', pad: 50256, effective: 4 },
    splits: [
      [4, 1, null],
      [2, 2, null],
      [1, 4, null],
      [1, 4, 128],
    ],
    asked: 1.3,
    evaluated: 120,
  },
  {
    ...{ name: 'GPT-2 124M, effective batch 8', model: 'gpt2', pad: 50256, effective: 8 },
    splits: [
      [8, 1, null],
      [4, 2, null],
    ],
    asked: 1.3,
    evaluated: 120,
  },
  {
    ...{ name: 'MiniLM, effective batch 8', model: 'all-MiniLM-L6-v2', pad: 0, effective: 8 },
    splits: [
      [8, 1, null],
      [4, 2, null],
    ],
    asked: 2,
    evaluated: 1000,
  },
];
