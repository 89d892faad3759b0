import { catalog } from '../../activities/catalog.ts';
import { check as checkPipeline, formatDiagnostics } from '../../language/compile.ts';
import { printJson, printLines } from '../output.ts';
import { paramsOf, readPipelineFile, UnreadableFile } from './pipeline-file.ts';

/** `retune check FILE`: exit code 0, 1 on findings, 2 when the file cannot be read. */
export async function check(
  file: string,
  { param, json }: { param?: readonly string[]; json?: boolean },
): Promise<number> {
  try {
    const { source, sourceName } = await readPipelineFile(file);
    const params = paramsOf(source, param);
    const diagnostics = checkPipeline({
      source,
      sourceName,
      catalog,
      ...(params !== undefined && { params }),
    });
    const hasErrors = diagnostics.some(({ severity }) => severity === 'error');
    if (json) printJson({ ok: !hasErrors, diagnostics });
    else if (diagnostics.length > 0) printLines([formatDiagnostics(diagnostics)]);
    if (!json && !hasErrors) printLines([`${file}: no errors`]);
    return hasErrors ? 1 : 0;
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    process.stderr.write(`error: ${error.message}\n`);
    if (json) printJson({ ok: false, error: { type: 'Error', message: error.message } });
    return 2;
  }
}
