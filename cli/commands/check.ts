import { catalog } from '../../activities/catalog.ts';
import { check as checkPipeline } from '../../language/compile.ts';
import { type CheckedFile, printChecked } from '../diagnostic-formats.ts';
import type { Format } from '../formats.ts';
import { paramsOf, readPipelineFile, UnreadableFile } from './pipeline-file.ts';

/** `retune check FILE...`: exit code 0, 1 on findings, 2 when a file cannot be read. */
export async function check(
  files: readonly string[],
  { param, json, ...options }: { param?: readonly string[]; json?: boolean; format?: Format },
): Promise<number> {
  const checked: CheckedFile[] = [];
  for (const file of files) checked.push(await checkFile(file, param));
  return printChecked(checked, json ? 'json' : (options.format ?? 'text'));
}

async function checkFile(file: string, param: readonly string[] | undefined): Promise<CheckedFile> {
  try {
    const { source, sourceName } = await readPipelineFile(file);
    const params = paramsOf(source, param);
    const given = params !== undefined && { params };
    return { file, diagnostics: checkPipeline({ source, sourceName, catalog, ...given }) };
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    return { file, diagnostics: [], problem: error.message };
  }
}
