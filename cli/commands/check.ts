import type { StepFile } from '../../activities/custom/step-source.ts';
import type { Catalog } from '../../language/catalog.ts';
import { check as checkPipeline } from '../../language/compile.ts';
import { CommandError, UnreadableFile } from '../command-error.ts';
import { type CheckedFile, printChecked } from '../diagnostic-formats.ts';
import type { Format } from '../formats.ts';
import { paramsOf, readPipelineFile } from './pipeline-file.ts';
import { catalogOf } from './step-catalog.ts';

interface CheckFlags {
  readonly param?: readonly string[];
  readonly steps?: readonly StepFile[];
  readonly json?: boolean;
  readonly format?: Format;
}

/** `retune check FILE...`: exit code 0, 1 on findings, 2 when a file cannot be read. */
export async function check(
  files: readonly string[],
  { param, json, steps, ...options }: CheckFlags,
): Promise<number> {
  if (files.filter((file) => file === '-').length > 1) {
    throw new CommandError("'-' is given twice, and standard input is read once; give it once");
  }
  const catalog = await catalogOf(steps);
  const checked: CheckedFile[] = [];
  for (const file of files) checked.push(await checkFile(file, catalog, param));
  return printChecked(checked, json ? 'json' : (options.format ?? 'text'));
}

async function checkFile(
  file: string,
  catalog: Catalog,
  param: readonly string[] | undefined,
): Promise<CheckedFile> {
  try {
    const { source, sourceName } = await readPipelineFile(file);
    const params = paramsOf(source, param);
    const given = params !== undefined && { params };
    return {
      file: sourceName,
      diagnostics: checkPipeline({ source, sourceName, catalog, ...given }),
    };
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    return { file, diagnostics: [], problem: error.message };
  }
}
