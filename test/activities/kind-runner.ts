import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { parseInputs } from '../../activities/declaration.ts';
import type { AnyStep } from '../../activities/catalog.ts';
import type { StepContext } from '../../activities/step-context.ts';
import type { JsonObject, JsonValue } from '../../plan/json.ts';
import { openStore } from '../../store/open.ts';
import type { Store } from '../../store/store.ts';
import { temporaryFolder } from '../setup/folders.ts';

/** Runs step kinds one after the other on a store of their own, without a server. */
export class KindRunner {
  readonly store: Store;
  /** What `file:` sources are relative to. */
  readonly dataRoot: string;
  readonly notes: string[] = [];
  readonly #env: Readonly<Record<string, string>>;

  private constructor(store: Store, dataRoot: string, env: Readonly<Record<string, string>>) {
    this.store = store;
    this.dataRoot = dataRoot;
    this.#env = env;
  }

  /** @param env variables beside RETUNE_DATA_ROOT */
  static async open(env: Readonly<Record<string, string>> = {}): Promise<KindRunner> {
    const folder = await temporaryFolder();
    return new KindRunner(await openStore(`file:${join(folder, 'store')}`), folder, env);
  }

  /**
   * The outputs of a step of this kind with these inputs.
   *
   * @param executionRunId another for each submission of the run
   * @throws what the step fails with
   */
  async run(
    step: AnyStep,
    inputs: JsonObject,
    executionRunId = 'execution',
  ): Promise<Record<string, JsonValue>> {
    const parsed = parseInputs(step, inputs);
    const context: StepContext = {
      store: this.store,
      env: { ...this.#env, RETUNE_DATA_ROOT: this.dataRoot },
      signal: new AbortController().signal,
      run: { workflowId: 'run', executionRunId, stepId: step.kind },
      fingerprint: step.kind,
      upstream: null,
      temporaryDirectory: await mkdtemp(join(this.dataRoot, 'attempt-')),
      progress: () => undefined,
      record: () => undefined,
      note: (text) => this.notes.push(text),
    };
    const upstream = (await step.resolve?.(context, parsed)) as JsonValue | undefined;
    const outputs = await step.run({ ...context, upstream: upstream ?? null }, parsed);
    return outputs as Record<string, JsonValue>;
  }
}
