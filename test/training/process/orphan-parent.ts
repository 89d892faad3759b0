// Starts a training process and prints its id, for a test that kills this one.
import { readFile } from 'node:fs/promises';
import { runJob, type Job } from '../../../training/process.ts';

const job = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')) as Job;
await runJob(job, {
  onEvent: (event) => {
    if (event.kind === 'process') console.log(`process ${event.pid}`);
    if (event.kind === 'step') console.log(`step ${event.step}`);
  },
});
