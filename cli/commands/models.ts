import { listModels } from '../../store/registry.ts';
import { printJson, printLines, table } from '../output.ts';
import { openUserStore } from './session.ts';

/** `retune models list` */
export async function modelsList({ json }: { json?: boolean }): Promise<number> {
  const models = await listModels(await openUserStore());
  if (json) {
    printJson(models);
    return 0;
  }
  if (models.length === 0) {
    printLines(['no models yet: a pipeline with a register@1 step adds one']);
    return 0;
  }
  const rows = models.flatMap(({ name, versions, aliases }) =>
    versions.map(({ version, model, createdAt }) => {
      const names = Object.entries(aliases).filter(([, target]) => target === version);
      return [
        name,
        `v${version}`,
        names.map(([alias]) => alias).join(', '),
        model,
        new Date(createdAt).toISOString(),
      ];
    }),
  );
  printLines(table([['model', 'version', 'aliases', 'artifact', 'registered'], ...rows]));
  return 0;
}
