// Trains as the input at argv[2] says, with no more memory than argv[3] MiB above what it has when
// its first step begins; prints what happened as one line of JSON.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { TrainingEvent } from '../../../training/training-event.ts';
import { train, type TrainInput } from '../../../training/train.ts';
import { longRows } from './long-training.ts';

const [, , inputFile = '', headroom = ''] = process.argv;
const input = JSON.parse(readFileSync(inputFile, 'utf8')) as Omit<TrainInput, 'trainRows'>;
const notes: string[] = [];

function limitMemory(): void {
  const status = readFileSync('/proc/self/status', 'utf8');
  const kibibytes = Number(/^VmData:\s+(\d+) kB$/m.exec(status)?.[1]);
  const bytes = 1024 * kibibytes + Number(headroom) * 2 ** 20;
  execFileSync('prlimit', ['--pid', String(process.pid), `--data=${bytes}`]);
}

function onEvent(event: TrainingEvent): void {
  if (event.kind === 'started') limitMemory();
  if (event.kind === 'note' || event.kind === 'trainable') notes.push(event.message);
}

const { history, exact } = await train({ ...input, trainRows: longRows(), onEvent });
console.log(JSON.stringify({ notes, history, exact }));
