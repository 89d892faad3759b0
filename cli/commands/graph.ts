import type { StepFile } from '../../activities/custom/step-source.ts';
import { draft, formatDiagnostics } from '../../language/compile.ts';
import { UnreadableFile } from '../command-error.ts';
import { printChecked } from '../diagnostic-formats.ts';
import { printJson, printLines } from '../output.ts';
import { drawPipeline, mermaidFlowchart } from '../pipeline-drawing.ts';
import { readPipelineFile } from './pipeline-file.ts';
import { catalogOf } from './step-catalog.ts';

interface GraphFlags {
  readonly mermaid?: boolean;
  readonly json?: boolean;
  readonly steps?: readonly StepFile[];
}

/** `retune graph FILE`: exit code 0, 1 on findings, 2 when the file cannot be read. */
export async function graph(
  file: string,
  { mermaid = false, json = false, steps: files }: GraphFlags,
): Promise<number> {
  try {
    const { source, sourceName } = await readPipelineFile(file);
    const catalog = await catalogOf(files);
    const drafted = draft({ source, sourceName, catalog });
    if (!drafted.ok) {
      const { diagnostics } = drafted;
      if (json) return printChecked([{ file: sourceName, diagnostics }], 'json');
      process.stderr.write(`${formatDiagnostics(diagnostics)}\n`);
      return 1;
    }
    const { plan } = drafted;
    if (json) {
      const steps = plan.steps.map(({ id, kind, version, needs }) => ({
        ...{ id, uses: `${kind}@${version}`, needs },
      }));
      printJson({ ok: true, steps });
    } else printLines(mermaid ? mermaidFlowchart(plan) : drawPipeline(plan));
    return 0;
  } catch (error) {
    if (!(error instanceof UnreadableFile)) throw error;
    const unread = { file, diagnostics: [], problem: error.message };
    return printChecked([unread], json ? 'json' : 'text');
  }
}
