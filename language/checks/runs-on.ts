import { kindName } from '../catalog.ts';
import type { LocatedEntry } from '../located.ts';
import { describeFound, quote, toJson, valueRange } from '../located.ts';
import type { InputContext } from '../step-inputs.ts';
import { knownValue } from '../known-values.ts';

const LABEL = /^[A-Za-z0-9_.-]+$/;
const EXPECTED = 'expected the label of training workers, such as cpu';

/** Rule `runs-on`: only training kinds have workers by label, and a label is part of a queue's name. */
export function checkRunsOn(context: InputContext): void {
  const { pipeline, reporter } = context;
  checkLabel(pipeline.defaults.runsOn, context);
  for (const { id, signature, runsOn } of pipeline.steps.values()) {
    if (runsOn === undefined) continue;
    if (signature?.role === 'work') {
      const message = `step ${quote(id)} has 'runs_on', but ${kindName(signature)} does not train and runs on any worker; remove it`;
      reporter.error('runs-on', runsOn.keyRange, message);
    } else {
      checkLabel(runsOn, context);
    }
  }
}

function checkLabel(
  entry: LocatedEntry | undefined,
  { pipeline, contexts, templates, reporter }: InputContext,
): void {
  if (entry === undefined) return;
  const { value } = entry;
  const template = value.kind === 'scalar' ? templates.read(value) : undefined;
  const known =
    template === undefined ? toJson(value) : knownValue(template, pipeline, contexts, reporter);
  if (known === undefined || (typeof known === 'string' && LABEL.test(known))) return;
  const message = `'runs_on' is ${describeFound(known)}; ${EXPECTED}`;
  reporter.error('runs-on', valueRange(entry), message);
}
