/** What computes. */
export const DEVICES = ['cpu', 'cuda', 'webgpu'] as const;

export type Device = (typeof DEVICES)[number];

/** What a person may ask for: `auto` is cuda where every worker has it, else cpu. */
export const DEVICE_CHOICES = ['auto', ...DEVICES] as const;

export const DEVICE_DESCRIPTION =
  "what computes; auto is cuda when all workers of the step's runs_on label have it, else cpu";
