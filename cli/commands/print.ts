import { catalog } from '../../activities/catalog.ts';
import { formatDiagnostics } from '../../language/compile.ts';
import { printPipeline } from '../../language/print.ts';
import { endUnread } from '../diagnostic-formats.ts';
import { paramsOf, readPipelineFile, UnreadableFile } from './pipeline-file.ts';

/** `retune print FILE`: exit code 0, 1 on findings, 2 when the file cannot be read. */
export async function print(
  file: string,
  { param }: { param?: readonly string[] },
): Promise<number> {
  try {
    const { source, sourceName } = await readPipelineFile(file);
    const params = paramsOf(source, param);
    const printed = printPipeline({
      source,
      sourceName,
      catalog,
      ...(params !== undefined && { params }),
    });
    if (printed.ok) process.stdout.write(printed.text);
    else process.stderr.write(`${formatDiagnostics(printed.diagnostics)}\n`);
    return printed.ok ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    return endUnread(error, 'text');
  }
}
