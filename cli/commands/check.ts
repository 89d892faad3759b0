import { catalog } from '../../activities/catalog.ts';
import { check as checkPipeline } from '../../language/compile.ts';
import { endUnread, renderDiagnostics } from '../diagnostic-formats.ts';
import type { Format } from '../formats.ts';
import { printLines } from '../output.ts';
import { paramsOf, readPipelineFile, UnreadableFile } from './pipeline-file.ts';

/** `retune check FILE`: exit code 0, 1 on findings, 2 when the file cannot be read. */
export async function check(
  file: string,
  { param, json, ...options }: { param?: readonly string[]; json?: boolean; format?: Format },
): Promise<number> {
  const format = json ? 'json' : (options.format ?? 'text');
  try {
    const { source, sourceName } = await readPipelineFile(file);
    const params = paramsOf(source, param);
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
