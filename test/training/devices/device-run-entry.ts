// Entry of a process: one deviceRun, whose arguments and answer are JSON.
import { deviceRun, type DeviceRunOptions } from './device-run.ts';
import type { Device } from '../../../training/devices/device.ts';

const [device, options] = process.argv.slice(2);
const run = await deviceRun(device as Device, JSON.parse(options ?? '{}') as DeviceRunOptions);
process.stdout.write(JSON.stringify(run));
