import type { StepFile } from '../../activities/custom/step-source.ts';
import { formatDiagnostics } from '../../language/compile.ts';
import { printPipeline } from '../../language/print.ts';
import { UnreadableFile } from '../command-error.ts';
import { printChecked } from '../diagnostic-formats.ts';
import { paramsOf, readPipelineFile } from './pipeline-file.ts';
import { catalogOf } from './step-catalog.ts';

interface PrintFlags {
  readonly param?: readonly string[];
  readonly steps?: readonly StepFile[];
}

/** `retune print FILE`: exit code 0, 1 on findings, 2 when the file cannot be read. */
export async function print(file: string, { param, steps }: PrintFlags): Promise<number> {
  try {
    const { source, sourceName } = await readPipelineFile(file);
    const params = paramsOf(source, param);
    const catalog = await catalogOf(steps);
    const printed = printPipeline({
      ...{ source, sourceName, catalog },
      ...(params !== undefined && { params }),
    });
    if (printed.ok) process.stdout.write(printed.text);
    else process.stderr.write(`${formatDiagnostics(printed.diagnostics)}\n`);
    return printed.ok ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    return printChecked([{ file, diagnostics: [], problem: error.message }], 'text');
  }
}
