import { StringTable } from './c-strings.ts';
import type { OrtApi, Pointer, StatusPointer } from './ort-api.ts';
import { checkStatus, pointerFrom } from './ort-status.ts';
import type { NamedValues, TensorValue } from './tensor.ts';

const WHAT = 'running a graph on a device';

/**
 * A session's inputs and outputs, bound by name. What lies in the device's memory is bound once and
 * computed with where it lies; what lies in ours is copied there at each run, or back.
 */
export class IoBinding {
  readonly #api: OrtApi;
  readonly #session: Pointer;
  readonly #pointer: Pointer;
  readonly #runOptions: Pointer;
  readonly #names = new StringTable();
  readonly #inputs = new Map<string, TensorValue>();
  readonly #outputs = new Map<string, TensorValue>();
  #isRunning = false;

  constructor(api: OrtApi, session: Pointer) {
    this.#api = api;
    this.#session = session;
    this.#pointer = pointerFrom(api, WHAT, (out) => api.CreateIoBinding(session, out));
    this.#runOptions = pointerFrom(api, WHAT, (out) => api.CreateRunOptions(out));
  }

  /** One run at a time. @see Session.run */
  async run(inputs: NamedValues, outputs: NamedValues): Promise<void> {
    if (this.#isRunning) throw new Error('internal: two runs of one session on a device');
    this.#isRunning = true;
    try {
      await this.#bindInputs(inputs);
      this.#bindOutputs(outputs);
      const api = this.#api;
      checkStatus(api, api.SynchronizeBoundInputs(this.#pointer), WHAT);
      await this.#call((callback) =>
        api.RunWithBinding.async(this.#session, this.#runOptions, this.#pointer, callback),
      );
      checkStatus(api, api.SynchronizeBoundOutputs(this.#pointer), WHAT);
    } finally {
      this.#isRunning = false;
    }
  }

  async #bindInputs(inputs: NamedValues): Promise<void> {
    if (hasOthers(this.#inputs, inputs)) this.#clearInputs();
    for (const [name, tensor] of Object.entries(inputs)) {
      const isOnDevice = tensor.data === undefined;
      if (isOnDevice && this.#inputs.get(name) === tensor) continue;
      this.#inputs.delete(name);
      const bound = [this.#pointer, this.#names.address(name), tensor.pointer] as const;
      if (isOnDevice) checkStatus(this.#api, this.#api.BindInput(...bound), WHAT);
      // What is ours is copied to the device here, so on a thread of Node's pool.
      else await this.#call((callback) => this.#api.BindInput.async(...bound, callback));
      this.#inputs.set(name, tensor);
    }
  }

  #bindOutputs(outputs: NamedValues): void {
    if (hasOthers(this.#outputs, outputs)) this.#clearOutputs();
    for (const [name, tensor] of Object.entries(outputs)) {
      if (this.#outputs.get(name) === tensor) continue;
      const address = this.#names.address(name);
      checkStatus(this.#api, this.#api.BindOutput(this.#pointer, address, tensor.pointer), WHAT);
      this.#outputs.set(name, tensor);
    }
  }

  async #call(
    start: (callback: (error: Error | null, status: StatusPointer) => void) => void,
  ): Promise<void> {
    const status = await new Promise<StatusPointer>((resolve, reject) => {
      start((error, result) => (error === null ? resolve(result) : reject(error)));
    });
    checkStatus(this.#api, status, WHAT);
  }

  /** Lets go of all that is bound. */
  clear(): void {
    this.#clearInputs();
    this.#clearOutputs();
  }

  #clearInputs(): void {
    this.#api.ClearBoundInputs(this.#pointer);
    this.#inputs.clear();
  }

  #clearOutputs(): void {
    this.#api.ClearBoundOutputs(this.#pointer);
    this.#outputs.clear();
  }

  release(): void {
    this.#api.ReleaseIoBinding(this.#pointer);
    this.#api.ReleaseRunOptions(this.#runOptions);
  }
}

function hasOthers(bound: ReadonlyMap<string, TensorValue>, wanted: NamedValues): boolean {
  return [...bound.keys()].some((name) => !(name in wanted));
}
