import { proxyActivities } from '@temporalio/workflow';

interface Activities {
  noop(input: { after: number; run: string }): Promise<{ number: number }>;
}

const { noop } = proxyActivities<Activities>({
  taskQueue: 'bare',
  startToCloseTimeout: '1 minute',
});

/** What a person would write by hand: activities, each with the result of the one before. */
export async function bare({ steps, run }: { steps: number; run: string }): Promise<number> {
  let number = 0;
  for (let step = 0; step < steps; step += 1) ({ number } = await noop({ after: number, run }));
  return number;
}
