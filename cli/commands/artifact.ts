import { resolve } from 'node:path';
import { exportArtifact, readManifest, resolveDigest } from '../../store/artifacts.ts';
import { userPath } from '../user-path.ts';
import { printJson, printLines } from '../output.ts';
import { openUserStore } from './session.ts';

/** `retune artifact get DIGEST --to DIR`: writes the artifact's files into a new or empty folder. */
export async function artifactGet(
  text: string,
  { to, json }: { to: string; json?: boolean },
): Promise<number> {
  const store = await openUserStore();
  const digest = await resolveDigest(store, text);
  const directory = resolve(userPath(to));
  await exportArtifact(store, digest, directory);
  const { type, files } = await readManifest(store, digest);
  if (json) {
    printJson({ digest, type, directory, files });
    return 0;
  }
  printLines([
    `${type} ${digest} is in ${directory}:`,
    ...files.map(({ path, size }) => `  ${path} (${size.toLocaleString('en')} bytes)`),
  ]);
  return 0;
}
