import type { StepFile } from '../../activities/custom/step-source.ts';
import { check as checkPipeline } from '../../language/compile.ts';
import { UnreadableFile } from '../command-error.ts';
import { endUnread, renderDiagnostics } from '../diagnostic-formats.ts';
import type { Format } from '../formats.ts';
import { printLines } from '../output.ts';
import { paramsOf, readPipelineFile } from './pipeline-file.ts';
import { catalogOf } from './step-catalog.ts';

interface CheckFlags {
  readonly param?: readonly string[];
  readonly steps?: readonly StepFile[];
  readonly json?: boolean;
  readonly format?: Format;
}

/** `retune check FILE`: exit code 0, 1 on findings, 2 when the file cannot be read. */
export async function check(
  file: string,
  { param, json, steps, ...options }: CheckFlags,
): Promise<number> {
  const format = json ? 'json' : (options.format ?? 'text');
  try {
    const { source, sourceName } = await readPipelineFile(file);
    const params = paramsOf(source, param);
    const catalog = await catalogOf(steps);
    const diagnostics = checkPipeline({
      source,
      sourceName,
      catalog,
      ...(params !== undefined && { params }),
    });
    const text = renderDiagnostics(file, diagnostics, format);
    if (text !== '') printLines([text]);
    return diagnostics.some(({ severity }) => severity === 'error') ? 1 : 0;
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    return endUnread(error, format);
  }
}
